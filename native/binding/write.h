// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "../core/data_fd.h"
#include "completion.h"

namespace vfio_migrate {

class WriteCall;

/// The writes of one session, in order. One at a time has a piece of at most kPieceBytes in the
/// data lane, so native memory stays bounded and nothing comes between the pieces of a write.
/// JavaScript thread only.
class WriteQueue {
 public:
  /// Takes `call`, which has begun.
  void Push(Napi::Env env, WriteCall* call);
  /// The first call is done: the next one's turn.
  void Advance(Napi::Env env);

 private:
  JobList waiting_;
  WriteCall* current_ = nullptr;
};

class WriteCall final : public Completion {
 public:
  WriteCall(Held<CompletionQueue> queue, Napi::Reference<Napi::Object>* self, WriteQueue* writes,
            Held<DataFd> session)
      : Completion(std::move(queue), self), writes_(writes), session_(std::move(session)) {}

  /// Keeps `data` until all of it is written. False, with an exception pending, when that cannot
  /// be.
  bool Hold(Napi::Env env, Napi::Uint8Array data);
  /// Copies the next piece and posts it.
  void PostPiece(Napi::Env env);

  void Run() override { result_ = session_->Write(buffer_.data(), piece_); }
  void Refuse(Answer answer) override { result_ = answer; }
  void Settle(Napi::Env env) override;

 private:
  Napi::Value ToJs(Napi::Env env) override {
    return Napi::Number::New(env, static_cast<double>(result_));
  }
  Answer CopyPiece(Napi::Env env);

  WriteQueue* writes_;
  Held<DataFd> session_;
  /// Deleted in Settle, on the JavaScript thread; where it never comes to that, with the
  /// environment.
  napi_ref data_ = nullptr;
  size_t length_ = 0;
  size_t taken_ = 0;
  size_t piece_ = 0;
  Buffer buffer_;
  Answer result_ = 0;
};

}  // namespace vfio_migrate
