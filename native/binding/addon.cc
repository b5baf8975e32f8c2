// SPDX-License-Identifier: Apache-2.0
#include <cstring>

#include "arguments.h"
#include "barrier.h"
#include "environment.h"
#include "file_lock.h"
#include "open.h"

namespace vfio_migrate {

namespace {

Napi::Value CountCensus(const Napi::CallbackInfo& info) {
  Napi::Object object = Napi::Object::New(info.Env());
  object.Set("lanes", census.lanes.load());
  object.Set("sessions", census.sessions.load());
  object.Set("devices", census.devices.load());
  object.Set("buffers", census.buffers.load());
  object.Set("farEnds", census.far_ends.load());
  return object;
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  if (!Environment::Create(env)) return exports;
  exports.Set("openCdev", Napi::Function::New<OpenCdevCall>(env, "openCdev"));
  exports.Set("openGroup", Napi::Function::New<OpenGroupCall>(env, "openGroup"));
  exports.Set("adopt", Napi::Function::New<AdoptCall>(env, "adopt"));
  exports.Set("barrier", Napi::Function::New<BarrierCall>(env, "barrier"));
  exports.Set("lockFile", Napi::Function::New<LockFileCall>(env, "lockFile"));
  exports.Set("census", Napi::Function::New<CountCensus>(env, "census"));
  return exports;
}

}  // namespace

NODE_API_MODULE(vfio_migrate, Init)

}  // namespace vfio_migrate
