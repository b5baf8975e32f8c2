// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <utility>

#include "../core/data_fd.h"
#include "completion.h"

namespace vfio_migrate {

class WriteCall;

/// The writes of one session, in order. One at a time has a piece of at most kPieceBytes in the
/// data lane, so native memory stays bounded and nothing comes between the pieces of a write.
/// JavaScript thread only.
class WriteQueue {
 public:
  /// At the end of the environment: what has not had its turn is dropped.
  ~WriteQueue();

  /// Takes `call`, which has begun.
  void Push(Napi::Env env, WriteCall* call);
  /// The first call is done: the next one's turn.
  void Advance(Napi::Env env);
  /// The array that the first call writes.
  napi_ref data() const { return data_; }

 private:
  napi_env env_ = nullptr;
  JobList waiting_;
  WriteCall* current_ = nullptr;
  /// Here and not in the call, which a lane may be the last to have: a reference is deleted by
  /// nobody but us, not even with its environment.
  napi_ref data_ = nullptr;
};

class WriteCall final : public Completion {
 public:
  WriteCall(Held<CompletionQueue> queue, Napi::Reference<Napi::Object>* self, WriteQueue* writes,
            Held<DataFd> session)
      : Completion(std::move(queue), self), writes_(writes), session_(std::move(session)) {}

  /// Keeps `data` until all of it is written. False, with an exception pending, when that cannot
  /// be.
  bool Hold(Napi::Env env, Napi::Uint8Array data);
  napi_ref TakeData() { return std::exchange(data_, nullptr); }
  /// Copies the next piece, or takes hold of it where it is in a buffer of a lane, and posts it.
  void PostPiece(Napi::Env env);

  void Run() override { result_ = session_->Write(piece_, piece_length_); }
  void Refuse(Answer answer) override { result_ = answer; }
  void Settle(Napi::Env env) override;

 private:
  Napi::Value ToJs(Napi::Env env) override {
    return Napi::Number::New(env, static_cast<double>(result_));
  }
  Answer TakePiece(Napi::Env env);
  Answer CopyPiece(const uint8_t* bytes);

  WriteQueue* writes_;
  Held<DataFd> session_;
  /// Until it is this call's turn.
  napi_ref data_ = nullptr;
  size_t length_ = 0;
  size_t taken_ = 0;
  size_t piece_length_ = 0;
  const uint8_t* piece_ = nullptr;
  /// Has the piece.
  Held<Buffer> buffer_;
  Answer result_ = 0;
};

}  // namespace vfio_migrate
