// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <napi.h>

#include "../core/job.h"
#include "../core/shared.h"

namespace vfio_migrate {

class Completion;

/// Brings answers from the lanes to the JavaScript thread of one environment. The lanes wake it
/// only when nothing was waiting yet, so whatever is answered in the meantime is settled in one go.
class CompletionQueue final : public Shared {
 public:
  /// Null when it cannot be made. The queue closes itself when the environment ends.
  static Held<CompletionQueue> Create(Napi::Env env);

  /// Any thread. Takes `completion`; after the end of the environment it is dropped.
  void Push(Completion* completion);

  /// JavaScript thread only: between the two the event loop is kept alive.
  void Begin(Napi::Env env);
  void End(Napi::Env env);
  /// True from the end of the environment on.
  bool closed();

 private:
  CompletionQueue() = default;
  static void OnWake(napi_env env, napi_value, void* queue, void*);
  static void OnEnvironmentEnd(void* queue);
  bool Take(JobList* taken, bool close);

  napi_threadsafe_function wake_ = nullptr;
  size_t begun_ = 0;
  Mutex mutex_;
  bool closed_ = false;
  JobList answered_;
};

/// A job whose answer settles a promise. Made and settled on the JavaScript thread, run in a lane.
class Completion : public Job {
 public:
  /// `self` is kept from being collected while this is under way; null where there is nobody yet.
  Completion(Held<CompletionQueue> queue, Napi::Reference<Napi::Object>* self)
      : queue_(std::move(queue)), self_(self) {}

  /// Once, before the job is posted. An empty value, with an exception pending, when there is no
  /// promise to be had.
  Napi::Value Begin(Napi::Env env);
  void Deliver() override;
  /// Resolves the promise and deletes this, or begins another part of the work.
  virtual void Settle(Napi::Env env) { Resolve(env); }

 protected:
  void Resolve(Napi::Env env);
  virtual Napi::Value ToJs(Napi::Env env) = 0;

 private:
  Held<CompletionQueue> queue_;
  Napi::Reference<Napi::Object>* self_;
  napi_deferred deferred_ = nullptr;
};

}  // namespace vfio_migrate
