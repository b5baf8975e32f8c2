// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <napi.h>

#include "../core/job.h"
#include "../core/shared.h"

namespace vfio_migrate {

class Delivery;

/// Brings answers from the lanes to the JavaScript thread of one environment. The lanes wake it
/// only when they have not yet, so whatever is answered in the meantime is settled in one go.
class CompletionQueue final : public Shared {
 public:
  /// Null when it cannot be made. The queue closes itself when the environment ends.
  static Held<CompletionQueue> Create(Napi::Env env);

  /// Any thread. Takes `delivery`; after the end of the environment it is dropped. Without `wakes`
  /// it lies here until another one wakes the JavaScript thread.
  void Push(Delivery* delivery, bool wakes);

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
  bool woken_ = false;
  JobList answered_;
};

/// A job whose answer is for the JavaScript thread. Made and settled there, run in a lane.
class Delivery : public Job {
 public:
  explicit Delivery(Held<CompletionQueue> queue) : queue_(std::move(queue)) {}

  void Deliver() override { Push(true); }
  void DeliverAhead() override { Push(false); }
  /// JavaScript thread. Deletes this, or begins another part of the work.
  virtual void Settle(Napi::Env env) = 0;

 private:
  void Push(bool wakes);

  Held<CompletionQueue> queue_;
};

/// A promise. While it is under way the event loop is kept alive, and who made it is not collected.
/// JavaScript thread only.
class Pending {
 public:
  /// `self` is null where there is nobody yet.
  Pending(Held<CompletionQueue> queue, Napi::Reference<Napi::Object>* self)
      : queue_(std::move(queue)), self_(self) {}

  /// Once. An empty value, with an exception pending, when there is no promise to be had.
  Napi::Value Begin(Napi::Env env);
  /// Once. An empty value rejects it with the exception that is pending.
  void Settle(Napi::Env env, Napi::Value value);

 private:
  Held<CompletionQueue> queue_;
  Napi::Reference<Napi::Object>* self_;
  napi_deferred deferred_ = nullptr;
};

/// A job whose answer settles a promise.
class Completion : public Delivery {
 public:
  Completion(const Held<CompletionQueue>& queue, Napi::Reference<Napi::Object>* self)
      : Delivery(queue), promise_(queue, self) {}

  /// Once, before the job is posted, as Pending::Begin.
  Napi::Value Begin(Napi::Env env) { return promise_.Begin(env); }
  void Settle(Napi::Env env) override {
    promise_.Settle(env, ToJs(env));
    delete this;
  }

 protected:
  virtual Napi::Value ToJs(Napi::Env env) = 0;

 private:
  Pending promise_;
};

}  // namespace vfio_migrate
