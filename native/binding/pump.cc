// SPDX-License-Identifier: Apache-2.0
#include "pump.h"

#include <climits>
#include <utility>

#include "arguments.h"
#include "operation.h"

namespace vfio_migrate {

namespace {

constexpr napi_type_tag kTag = {0x6e0d3c8fa1b24759, 0x93f5d71c04e8ba62};

double ReadRate(Arguments* arguments, size_t index) {
  constexpr double kMost = 9007199254740991.0;
  return arguments->Integer(index, "bytesPerSecond", 0, kMost);
}

Napi::Value Post(Napi::Env env, Napi::Reference<Napi::Object>* self, const Held<DataFd>& session,
                 std::unique_ptr<Pump> pump, int access, int wait_ms) {
  return Begin(
      env, self, -EBADF,
      [pump = std::move(pump), access, wait_ms] {
        return access == O_WRONLY ? pump->Save(wait_ms) : pump->Load();
      },
      [&session](Job* job) { return session->Post(job); });
}

}  // namespace

Napi::Function PumpObject::Define(Napi::Env env) {
  return DefineClass(env, "Pump",
                     {
                         InstanceMethod<&PumpObject::BytesRead>("bytesRead"),
                         InstanceMethod<&PumpObject::BytesWritten>("bytesWritten"),
                         InstanceMethod<&PumpObject::Cancel>("cancel"),
                     });
}

PumpObject::PumpObject(Info info)
    : ObjectWrap(info), control_(Environment::Of(info.Env()).TakePump()) {
  if (!control_) {
    Napi::TypeError::New(info.Env(), "Illegal constructor").ThrowAsJavaScriptException();
    return;
  }
  info.This().As<Napi::Object>().TypeTag(&kTag);
}

bool PumpObject::IsOurs(Info info) {
  if (info.This().As<Napi::Object>().CheckTypeTag(&kTag)) return true;
  Napi::TypeError::New(info.Env(), "Illegal invocation").ThrowAsJavaScriptException();
  return false;
}

Napi::Value PumpObject::BytesRead(Info info) {
  if (!IsOurs(info)) return Napi::Value();
  return Napi::Number::New(info.Env(), static_cast<double>(control_->bytes_read()));
}

Napi::Value PumpObject::BytesWritten(Info info) {
  if (!IsOurs(info)) return Napi::Value();
  return Napi::Number::New(info.Env(), static_cast<double>(control_->bytes_written()));
}

Napi::Value PumpObject::Cancel(Info info) {
  if (IsOurs(info)) control_->Cancel();
  return Napi::Value();
}

Napi::Value BeginPump(const Napi::CallbackInfo& info, Napi::Reference<Napi::Object>* self,
                      const Held<DataFd>& session, int access) {
  Napi::Env env = info.Env();
  Arguments arguments(info);
  int fd = static_cast<int>(arguments.Integer(0, "fd", 0, INT_MAX));
  PumpLimits limits;
  limits.max_bytes = arguments.Size(1, "maxBytes");
  if (limits.max_bytes == 0) arguments.Fail("maxBytes", "at least 1");
  limits.bytes_per_second = ReadRate(&arguments, 2);
  int wait_ms = access == O_WRONLY ? arguments.Milliseconds(3, "waitMs") : 0;
  if (arguments.failed()) return arguments.Throw();
  std::unique_ptr<Pump> pump = Pump::Create(session, fd, access, limits);
  if (!pump) return OutOfMemory(env);
  Napi::Value object = Environment::Of(env).Wrap(pump->control());
  if (object.IsEmpty()) return object;
  Napi::Value done = Post(env, self, session, std::move(pump), access, wait_ms);
  if (!done.IsEmpty()) object.As<Napi::Object>().Set("done", done);
  return done.IsEmpty() ? done : object;
}

}  // namespace vfio_migrate
