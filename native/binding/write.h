// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "../core/data_fd.h"
#include "completion.h"

namespace vfio_migrate {

class WriteCall;
class WritePiece;

/// The writes of one session, in order and in pieces, with nothing between the pieces of a write.
/// So many of them are in the data lane that it need not wait for JavaScript, and no more, so that
/// native memory stays bounded. JavaScript thread only.
class WriteQueue {
 public:
  /// At the end of the environment: what has not been answered is dropped.
  ~WriteQueue();

  /// Takes `call`, which has begun.
  void Push(Napi::Env env, WriteCall* call);
  /// The stream has a hole: nothing behind it is to be written.
  bool is_broken() const { return is_broken_; }
  /// A piece of `call` has come to `answer`.
  void OnAnswered(Napi::Env env, WriteCall* call, Answer answer);

  static constexpr int kMostInLane = 4;

 private:
  /// Posts what there is room for, and ends what has nothing more to wait for.
  void Advance(Napi::Env env);
  void PostPiece(Napi::Env env, WriteCall* call);
  WriteCall* TakeDone();

  napi_env env_ = nullptr;
  WriteCall* first_ = nullptr;
  WriteCall** last_ = &first_;
  int in_lane_ = 0;
  bool is_broken_ = false;
};

/// One write, which JavaScript waits for.
class WriteCall {
 public:
  WriteCall(Held<CompletionQueue> queue, Napi::Reference<Napi::Object>* self, Held<DataFd> session)
      : queue_(queue), promise_(queue, self), session_(std::move(session)) {}

  /// Keeps `data` until all of it is written. Empty, with an exception pending, when that cannot
  /// be.
  Napi::Value Begin(Napi::Env env, Napi::Uint8Array data);
  /// Posts the next piece: a copy, or where it is in a buffer of a lane, a hold on it. 0 or -errno,
  /// and nothing is posted.
  Answer PostPiece(Napi::Env env, WriteQueue* writes);
  /// Nothing more of it is posted.
  void Fail(Answer answer);
  /// Where it was not posted yet: it comes too late.
  void FailAsLate() {
    if (!is_posted_) Fail(session_->closing() ? -EBADF : -ENODEV);
  }
  void TakeAnswer(Answer answer);

  bool is_posted() const { return is_posted_; }
  bool is_done() const { return is_posted_ && in_lane_ == 0; }
  void Settle(Napi::Env env);
  void Forget(napi_env env) { napi_delete_reference(env, data_); }

 private:
  friend class WriteQueue;

  Answer TakePiece(Napi::Env env, WritePiece* piece);

  WriteCall* next_ = nullptr;
  Held<CompletionQueue> queue_;
  Pending promise_;
  Held<DataFd> session_;
  napi_ref data_ = nullptr;
  size_t length_ = 0;
  size_t posted_ = 0;
  bool is_posted_ = false;
  int in_lane_ = 0;
  Answer result_ = 0;
};

}  // namespace vfio_migrate
