// SPDX-License-Identifier: Apache-2.0
#include "file_lock.h"

#include "arguments.h"
#include "environment.h"

namespace vfio_migrate {

namespace {

constexpr napi_type_tag kTag = {0x5ae1870bd3924c6f, 0xa6f3091c7b48d5e2};

}  // namespace

Napi::Function FileLockObject::Define(Napi::Env env) {
  return DefineClass(env, "FileLock", {InstanceMethod<&FileLockObject::Release>("release")});
}

FileLockObject::FileLockObject(const Napi::CallbackInfo& info)
    : ObjectWrap(info), fd_(Environment::Of(info.Env()).TakeLock()) {
  if (!fd_) {
    Napi::TypeError::New(info.Env(), "Illegal constructor").ThrowAsJavaScriptException();
    return;
  }
  info.This().As<Napi::Object>().TypeTag(&kTag);
}

Napi::Value FileLockObject::Release(const Napi::CallbackInfo& info) {
  if (info.This().As<Napi::Object>().CheckTypeTag(&kTag)) {
    fd_.Close();
  } else {
    Napi::TypeError::New(info.Env(), "Illegal invocation").ThrowAsJavaScriptException();
  }
  return Napi::Value();
}

Napi::Value LockFileCall(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  std::string path = arguments.String(0, "path");
  if (arguments.failed()) return arguments.Throw();
  Napi::Env env = info.Env();
  Fd fd;
  Answer answer = LockFile(path.c_str(), &fd);
  Napi::Object object = Napi::Object::New(env);
  object.Set("result", static_cast<double>(answer));
  if (answer < 0) return object;
  Napi::Value lock = Environment::Of(env).Wrap(std::move(fd));
  if (lock.IsEmpty()) return lock;
  object.Set("lock", lock);
  return object;
}

}  // namespace vfio_migrate
