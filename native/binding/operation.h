// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <new>
#include <optional>
#include <type_traits>

#include "answers.h"
#include "environment.h"

namespace vfio_migrate {

inline void SetResult(Answer& answer, Answer result) { answer = result; }
inline void SetResult(Nothing&, Answer) {}
template <typename Record>
void SetResult(Record& record, Answer result) {
  record.result = result;
}

template <typename Result>
bool MayBeHeld(const Result&) {
  return false;
}
/// What was asked for as memory of JavaScript's own is copied when it is delivered: that takes as
/// long as a read, and is to happen beside the next one.
inline bool MayBeHeld(const ReadData& data) { return data.is_full && !data.is_own; }

/// `work` runs in a lane; what it returns becomes the promise's value. What it captured is let go
/// there too.
template <typename Work>
class Operation final : public Completion {
 public:
  using Result = std::invoke_result_t<Work&>;

  Operation(Held<CompletionQueue> queue, Napi::Reference<Napi::Object>* self, Work work)
      : Completion(std::move(queue), self), work_(std::move(work)) {}

  void Run() override {
    result_ = (*work_)();
    work_.reset();
  }
  void Refuse(Answer answer) override {
    SetResult(result_, answer);
    work_.reset();
  }
  bool MayBeHeld() const override { return vfio_migrate::MayBeHeld(result_); }

 private:
  Napi::Value ToJs(Napi::Env env) override { return vfio_migrate::ToJs(env, result_); }

  std::optional<Work> work_;
  Result result_{};
};

inline Napi::Value OutOfMemory(Napi::Env env) {
  Napi::Error::New(env, "out of memory").ThrowAsJavaScriptException();
  return Napi::Value();
}

/// Begins an operation and lets `post` put it where it is to run; where that is refused the answer
/// is `refusal`.
template <typename Work, typename Post>
Napi::Value Begin(Napi::Env env, Napi::Reference<Napi::Object>* self, Answer refusal, Work work,
                  Post post) {
  auto* operation =
      new (std::nothrow) Operation<Work>(Environment::Of(env).queue(), self, std::move(work));
  if (!operation) return OutOfMemory(env);
  Napi::Value promise = operation->Begin(env);
  if (promise.IsEmpty()) {
    delete operation;
  } else if (!post(operation)) {
    operation->RefuseAndDeliver(refusal);
  }
  return promise;
}

}  // namespace vfio_migrate
