// SPDX-License-Identifier: Apache-2.0
#include "pump.h"

#include <climits>
#include <utility>

#include "arguments.h"
#include "operation.h"

namespace vfio_migrate {

namespace {

constexpr napi_type_tag kTag = {0x6e0d3c8fa1b24759, 0x93f5d71c04e8ba62};

int ReadFd(Arguments* arguments) {
  return static_cast<int>(arguments->Integer(0, "fd", 0, INT_MAX));
}

/// What JavaScript has of a pump that is to run by `run(Pump&)` where `post` puts it.
template <typename Run, typename Post>
Napi::Value Start(Napi::Env env, Napi::Reference<Napi::Object>* self, std::unique_ptr<Pump> pump,
                  Run run, Post post) {
  Napi::Value object = Environment::Of(env).Wrap(pump->control());
  if (object.IsEmpty()) return object;
  Napi::Value done = Begin(
      env, self, -EBADF, [pump = std::move(pump), run] { return run(*pump); }, post);
  if (!done.IsEmpty()) object.As<Napi::Object>().Set("done", done);
  return done.IsEmpty() ? done : object;
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
                      const Held<DataFd>& session, int access, bool is_broken) {
  constexpr double kMostPerSecond = 9007199254740991.0;
  Arguments arguments(info);
  int fd = ReadFd(&arguments);
  PumpLimits limits;
  limits.max_bytes = arguments.Size(1, "maxBytes");
  if (limits.max_bytes == 0) arguments.Fail("maxBytes", "at least 1");
  limits.bytes_per_second = arguments.Integer(2, "bytesPerSecond", 0, kMostPerSecond);
  int wait_ms = access == O_WRONLY ? arguments.Milliseconds(3, "waitMs") : 0;
  if (arguments.failed()) return arguments.Throw();
  std::unique_ptr<Pump> pump = Pump::Create(session, fd, access, limits);
  if (!pump) return OutOfMemory(info.Env());
  return Start(
      info.Env(), self, std::move(pump),
      [access, wait_ms, session, is_broken](Pump& pump) {
        if (is_broken) session->EndWrites();
        return access == O_WRONLY ? pump.Save(wait_ms) : pump.Load();
      },
      [&session](Job* job) { return session->Post(job); });
}

Napi::Value BeginPut(const Napi::CallbackInfo& info, Napi::Reference<Napi::Object>* self,
                     const Held<DataFd>& session) {
  Arguments arguments(info);
  int fd = ReadFd(&arguments);
  Napi::Uint8Array data = arguments.Bytes(1, "data");
  if (arguments.failed()) return arguments.Throw();
  std::unique_ptr<Pump> pump = Pump::Create(session, fd, O_WRONLY, PumpLimits());
  if (!pump || !pump->Hold(data.Data(), data.ByteLength())) return OutOfMemory(info.Env());
  return Start(
      info.Env(), self, std::move(pump), [](Pump& pump) { return pump.Put(); },
      [&session](Job* job) {
        Answer answer = session->RunBeside(job);
        if (answer < 0) job->RefuseAndDeliver(session->closing() ? -ECANCELED : answer);
        return true;
      });
}

}  // namespace vfio_migrate
