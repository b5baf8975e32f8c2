// SPDX-License-Identifier: Apache-2.0
#include "write.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "environment.h"

namespace vfio_migrate {

WriteQueue::~WriteQueue() {
  if (data_) napi_delete_reference(env_, data_);
  while (auto* call = static_cast<WriteCall*>(waiting_.Pop())) {
    napi_delete_reference(env_, call->TakeData());
    delete call;
  }
}

void WriteQueue::Push(Napi::Env env, WriteCall* call) {
  env_ = env;
  waiting_.Push(call);
  if (!current_) Advance(env);
}

void WriteQueue::Advance(Napi::Env env) {
  if (data_) napi_delete_reference(env, std::exchange(data_, nullptr));
  current_ = static_cast<WriteCall*>(waiting_.Pop());
  if (!current_) return;
  data_ = current_->TakeData();
  current_->PostPiece(env);
}

bool WriteCall::Hold(Napi::Env env, Napi::Uint8Array data) {
  length_ = data.ByteLength();
  return napi_create_reference(env, data, 1, &data_) == napi_ok;
}

/// The array may have been detached or shrunk since: then there is less than was promised.
Answer WriteCall::TakePiece(Napi::Env env) {
  piece_length_ = std::min(length_ - taken_, kPieceBytes);
  napi_value value;
  void* bytes = nullptr;
  size_t length = 0;
  napi_get_reference_value(env, writes_->data(), &value);
  napi_get_typedarray_info(env, value, nullptr, &length, &bytes, nullptr, nullptr);
  if (length < taken_ + piece_length_) return -EFAULT;
  piece_ = static_cast<const uint8_t*>(bytes) + taken_;
  Held<Buffer> lent = Environment::Of(env).loans().Find(piece_, piece_length_);
  if (!lent) return CopyPiece(piece_);
  buffer_ = std::move(lent);
  return 0;
}

Answer WriteCall::CopyPiece(const uint8_t* bytes) {
  if (!buffer_) buffer_ = session_->pool().Take(piece_length_);
  if (!buffer_) return -ENOMEM;
  if (piece_length_ > 0) memcpy(buffer_->data(), bytes, piece_length_);
  piece_ = buffer_->data();
  return 0;
}

void WriteCall::PostPiece(Napi::Env env) {
  Answer answer = TakePiece(env);
  if (answer < 0) {
    session_->EndWrites();
    RefuseAndDeliver(answer);
  } else if (!session_->Post(this)) {
    RefuseAndDeliver(-EBADF);
  }
}

void WriteCall::Settle(Napi::Env env) {
  if (result_ >= 0) {
    taken_ += piece_length_;
    result_ = static_cast<Answer>(taken_);
    if (taken_ < length_) return PostPiece(env);
  }
  buffer_ = Held<Buffer>();
  WriteQueue* writes = writes_;
  writes->Advance(env);
  Resolve(env);
}

}  // namespace vfio_migrate
