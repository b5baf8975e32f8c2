// SPDX-License-Identifier: Apache-2.0
#include "completion.h"

#include <new>

namespace vfio_migrate {

Held<CompletionQueue> CompletionQueue::Create(Napi::Env env) {
  auto queue = Held<CompletionQueue>::Adopt(new (std::nothrow) CompletionQueue());
  if (!queue) return queue;
  napi_value name = Napi::String::New(env, "vfio-migrate");
  napi_status status =
      napi_create_threadsafe_function(env, nullptr, nullptr, name, 0, 1, nullptr, nullptr,
                                      queue.get(), &CompletionQueue::OnWake, &queue->wake_);
  if (status != napi_ok) return Held<CompletionQueue>();
  napi_unref_threadsafe_function(env, queue->wake_);
  // Hooks run last in, first out: ours comes before the one that tears the threadsafe function
  // down.
  queue->Retain();
  napi_add_env_cleanup_hook(env, &CompletionQueue::OnEnvironmentEnd, queue.get());
  return queue;
}

bool CompletionQueue::Take(JobList* taken, bool close) {
  Lock lock(mutex_);
  if (close) closed_ = true;
  woken_ = false;
  while (Job* job = answered_.Pop()) taken->Push(job);
  return !taken->empty();
}

void CompletionQueue::Push(Delivery* delivery, bool wakes) {
  {
    Lock lock(mutex_);
    if (!closed_) {
      answered_.Push(delivery);
      // Under the lock: closing takes it too, so the function cannot be gone.
      if (wakes && !woken_) napi_call_threadsafe_function(wake_, nullptr, napi_tsfn_nonblocking);
      woken_ |= wakes;
      return;
    }
  }
  // The promise died with its environment; what the answer owns is shut down.
  delete delivery;
}

void CompletionQueue::OnWake(napi_env env, napi_value, void* self, void*) {
  if (env == nullptr) return;
  auto* queue = static_cast<CompletionQueue*>(self);
  JobList answered;
  queue->Take(&answered, false);
  while (Job* job = answered.Pop()) {
    Napi::HandleScope scope(env);
    static_cast<Delivery*>(job)->Settle(env);
  }
}

void CompletionQueue::OnEnvironmentEnd(void* self) {
  auto queue = Held<CompletionQueue>::Adopt(static_cast<CompletionQueue*>(self));
  JobList answered;
  queue->Take(&answered, true);
  while (Job* job = answered.Pop()) delete job;
  napi_release_threadsafe_function(queue->wake_, napi_tsfn_abort);
}

bool CompletionQueue::closed() {
  Lock lock(mutex_);
  return closed_;
}

void CompletionQueue::Begin(Napi::Env env) {
  if (begun_++ == 0) napi_ref_threadsafe_function(env, wake_);
}

void CompletionQueue::End(Napi::Env env) {
  if (--begun_ == 0) napi_unref_threadsafe_function(env, wake_);
}

void Delivery::Push(bool wakes) {
  // A copy: another thread may have settled and deleted this before Push returns.
  Held<CompletionQueue> queue = queue_;
  queue->Push(this, wakes);
}

Napi::Value Pending::Begin(Napi::Env env) {
  napi_value promise;
  if (napi_create_promise(env, &deferred_, &promise) != napi_ok) return Napi::Value();
  queue_->Begin(env);
  if (self_) self_->Ref();
  return Napi::Value(env, promise);
}

void Pending::Settle(Napi::Env env, Napi::Value value) {
  if (value.IsEmpty()) {
    Napi::Error error = env.GetAndClearPendingException();
    napi_reject_deferred(env, deferred_, error.Value());
  } else {
    napi_resolve_deferred(env, deferred_, value);
  }
  queue_->End(env);
  if (self_) self_->Unref();
}

}  // namespace vfio_migrate
