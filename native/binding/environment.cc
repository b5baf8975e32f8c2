// SPDX-License-Identifier: Apache-2.0
#include "environment.h"

#include <new>

#include "barrier.h"
#include "data_fd.h"
#include "device.h"
#include "file_lock.h"
#include "pump.h"

namespace vfio_migrate {

bool Environment::Create(Napi::Env env) {
  Held<CompletionQueue> queue = CompletionQueue::Create(env);
  if (!queue) {
    Napi::Error::New(env, "no completion queue").ThrowAsJavaScriptException();
    return false;
  }
  auto* environment = new (std::nothrow) Environment(env, std::move(queue));
  if (!environment) {
    Napi::Error::New(env, "out of memory").ThrowAsJavaScriptException();
    return false;
  }
  env.SetInstanceData(environment);
  return true;
}

Environment::Environment(Napi::Env env, Held<CompletionQueue> queue)
    : queue_(std::move(queue)),
      device_class_(Napi::Persistent(DeviceObject::Define(env))),
      data_fd_class_(Napi::Persistent(DataFdObject::Define(env))),
      barrier_class_(Napi::Persistent(BarrierObject::Define(env))),
      pump_class_(Napi::Persistent(PumpObject::Define(env))),
      file_lock_class_(Napi::Persistent(FileLockObject::Define(env))) {}

Napi::Value Environment::Wrap(Owner<Device> device) {
  device_ = std::move(device);
  Napi::Value object = device_class_.New({});
  device_ = Owner<Device>();
  return object;
}

Napi::Value Environment::Wrap(Owner<DataFd> session) {
  session_ = std::move(session);
  Napi::Value object = data_fd_class_.New({});
  session_ = Owner<DataFd>();
  return object;
}

Napi::Value Environment::Wrap(Held<Barrier> barrier) {
  barrier_ = std::move(barrier);
  Napi::Value object = barrier_class_.New({});
  barrier_ = Held<Barrier>();
  return object;
}

Napi::Value Environment::Wrap(Held<PumpControl> pump) {
  pump_ = std::move(pump);
  Napi::Value object = pump_class_.New({});
  pump_ = Held<PumpControl>();
  return object;
}

Napi::Value Environment::Wrap(Fd lock) {
  lock_ = std::move(lock);
  Napi::Value object = file_lock_class_.New({});
  lock_ = Fd();
  return object;
}

}  // namespace vfio_migrate
