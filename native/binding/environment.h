// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <napi.h>

#include "../core/device.h"
#include "../core/pump.h"
#include "completion.h"
#include "loans.h"

namespace vfio_migrate {

/// What one environment (the main thread, or one worker) has of its own.
class Environment {
 public:
  /// False, with an exception pending, on failure.
  static bool Create(Napi::Env env);
  static Environment& Of(Napi::Env env) { return *env.GetInstanceData<Environment>(); }

  const Held<CompletionQueue>& queue() const { return queue_; }
  Loans& loans() { return loans_; }

  /// A JavaScript object that owns what it is given. Empty, with an exception pending, on failure.
  Napi::Value Wrap(Owner<Device> device);
  Napi::Value Wrap(Owner<DataFd> session);
  Napi::Value Wrap(Held<Barrier> barrier);
  Napi::Value Wrap(Held<PumpControl> pump);
  Napi::Value Wrap(Fd lock);
  /// For the constructors. They are reachable from JavaScript, where there is nothing to be taken.
  Owner<Device> TakeDevice() { return std::move(device_); }
  Owner<DataFd> TakeSession() { return std::move(session_); }
  Held<Barrier> TakeBarrier() { return std::move(barrier_); }
  Held<PumpControl> TakePump() { return std::move(pump_); }
  Fd TakeLock() { return std::move(lock_); }

 private:
  Environment(Napi::Env env, Held<CompletionQueue> queue);

  Held<CompletionQueue> queue_;
  Loans loans_;
  Napi::FunctionReference device_class_;
  Napi::FunctionReference data_fd_class_;
  Napi::FunctionReference barrier_class_;
  Napi::FunctionReference pump_class_;
  Napi::FunctionReference file_lock_class_;
  Owner<Device> device_;
  Owner<DataFd> session_;
  Held<Barrier> barrier_;
  Held<PumpControl> pump_;
  Fd lock_;
};

}  // namespace vfio_migrate
