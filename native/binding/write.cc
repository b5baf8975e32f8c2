// SPDX-License-Identifier: Apache-2.0
#include "write.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "environment.h"

namespace vfio_migrate {

/// What of a write is in the data lane.
class WritePiece final : public Delivery {
 public:
  WritePiece(Held<CompletionQueue> queue, WriteQueue* writes, WriteCall* call, Held<DataFd> session)
      : Delivery(std::move(queue)), writes_(writes), call_(call), session_(std::move(session)) {}

  void Hold(Held<Buffer> buffer, const uint8_t* bytes, size_t length) {
    buffer_ = std::move(buffer);
    bytes_ = bytes;
    length_ = length;
  }
  const Held<DataFd>& session() const { return session_; }

  void Run() override { result_ = session_->Write(bytes_, length_); }
  void Refuse(Answer answer) override { result_ = answer; }
  bool MayBeHeld() const override { return result_ == static_cast<Answer>(kPieceBytes); }
  void Settle(Napi::Env env) override {
    WriteQueue* writes = writes_;
    WriteCall* call = call_;
    Answer result = result_;
    delete this;
    writes->OnAnswered(env, call, result);
  }

 private:
  WriteQueue* writes_;
  WriteCall* call_;
  Held<DataFd> session_;
  Held<Buffer> buffer_;
  const uint8_t* bytes_ = nullptr;
  size_t length_ = 0;
  Answer result_ = 0;
};

WriteQueue::~WriteQueue() {
  while (WriteCall* call = first_) {
    first_ = call->next_;
    call->Forget(env_);
    delete call;
  }
}

void WriteQueue::Push(Napi::Env env, WriteCall* call) {
  env_ = env;
  *last_ = call;
  last_ = &call->next_;
  Advance(env);
}

void WriteQueue::OnAnswered(Napi::Env env, WriteCall* call, Answer answer) {
  in_lane_--;
  is_broken_ |= answer < 0;
  call->TakeAnswer(answer);
  Advance(env);
}

void WriteQueue::Advance(Napi::Env env) {
  for (WriteCall* call = first_; call; call = call->next_) {
    while (!call->is_posted() && !is_broken_ && in_lane_ < kMostInLane) PostPiece(env, call);
    if (is_broken_) call->FailAsLate();
    if (!call->is_posted()) break;
  }
  // Last: the object that this is a part of may not outlive its last promise.
  for (WriteCall* done = TakeDone(); done;) {
    WriteCall* call = std::exchange(done, done->next_);
    call->Settle(env);
    delete call;
  }
}

void WriteQueue::PostPiece(Napi::Env env, WriteCall* call) {
  Answer answer = call->PostPiece(env, this);
  if (answer == 0) {
    in_lane_++;
  } else {
    is_broken_ = true;
    call->Fail(answer);
  }
}

WriteCall* WriteQueue::TakeDone() {
  WriteCall* done = nullptr;
  WriteCall** last = &done;
  for (WriteCall** link = &first_; *link;) {
    WriteCall* call = *link;
    if (!call->is_posted()) break;
    if (!call->is_done()) {
      link = &call->next_;
      continue;
    }
    *link = call->next_;
    if (!call->next_) last_ = link;
    call->next_ = nullptr;
    *last = call;
    last = &call->next_;
  }
  return done;
}

Napi::Value WriteCall::Begin(Napi::Env env, Napi::Uint8Array data) {
  length_ = data.ByteLength();
  if (napi_create_reference(env, data, 1, &data_) != napi_ok) return Napi::Value();
  Napi::Value promise = promise_.Begin(env);
  if (promise.IsEmpty()) Forget(env);
  return promise;
}

Answer WriteCall::PostPiece(Napi::Env env, WriteQueue* writes) {
  auto* piece = new (std::nothrow) WritePiece(queue_, writes, this, session_);
  if (!piece) return -ENOMEM;
  Answer answer = TakePiece(env, piece);
  if (answer < 0) {
    delete piece;
    return answer;
  }
  in_lane_++;
  is_posted_ = posted_ == length_;
  if (!session_->Post(piece)) piece->RefuseAndDeliver(-EBADF);
  return 0;
}

/// The array may have been detached or shrunk since: then there is less than was promised.
Answer WriteCall::TakePiece(Napi::Env env, WritePiece* piece) {
  napi_value value;
  void* data = nullptr;
  size_t length = 0;
  napi_get_reference_value(env, data_, &value);
  napi_get_typedarray_info(env, value, nullptr, &length, &data, nullptr, nullptr);
  size_t wanted = std::min(length_ - posted_, kPieceBytes);
  if (length < posted_ + wanted) return -EFAULT;
  const uint8_t* bytes = static_cast<const uint8_t*>(data) + posted_;
  posted_ += wanted;
  if (Held<Buffer> lent = Environment::Of(env).loans().Find(bytes, wanted)) {
    piece->Hold(std::move(lent), bytes, wanted);
    return 0;
  }
  Held<Buffer> copy = session_->pool().Take(kPieceBytes);
  if (!copy) return -ENOMEM;
  if (wanted > 0) memcpy(copy->data(), bytes, wanted);
  const uint8_t* copied = copy->data();
  piece->Hold(std::move(copy), copied, wanted);
  return 0;
}

void WriteCall::Fail(Answer answer) {
  is_posted_ = true;
  if (result_ >= 0) result_ = answer;
}

void WriteCall::TakeAnswer(Answer answer) {
  in_lane_--;
  if (answer < 0) {
    Fail(answer);
  } else if (result_ >= 0) {
    result_ += answer;
  }
}

void WriteCall::Settle(Napi::Env env) {
  Forget(env);
  promise_.Settle(env, Napi::Number::New(env, static_cast<double>(result_)));
}

}  // namespace vfio_migrate
