// SPDX-License-Identifier: Apache-2.0
#include "data_fd.h"

#include "../core/device.h"
#include "arguments.h"
#include "operation.h"
#include "pump.h"

namespace vfio_migrate {

namespace {

constexpr napi_type_tag kTag = {0x2b1f7a9c5d0e4836, 0xb74c0a51e98d263f};

}  // namespace

Napi::Function DataFdObject::Define(Napi::Env env) {
  return DefineClass(
      env, "SessionCalls",
      {
          InstanceMethod<&DataFdObject::Read>("read"),
          InstanceMethod<&DataFdObject::ReadBehind>("readBehind"),
          InstanceMethod<&DataFdObject::Write>("write"),
          InstanceValue("writeAhead", Napi::Number::New(env, WriteQueue::kMostInLane)),
          InstanceMethod<&DataFdObject::Release>("release"),
          InstanceMethod<&DataFdObject::IsLent>("isLent"),
          InstanceMethod<&DataFdObject::PumpTo>("pumpTo"),
          InstanceMethod<&DataFdObject::PumpFrom>("pumpFrom"),
          InstanceMethod<&DataFdObject::PutTo>("putTo"),
          InstanceMethod<&DataFdObject::Summarize>("summarize"),
          InstanceMethod<&DataFdObject::GetDigest>("digest"),
          InstanceMethod<&DataFdObject::RelayTo>("relayTo"),
          InstanceMethod<&DataFdObject::Relayed>("relayed"),
          InstanceMethod<&DataFdObject::GetPrecopyInfo>("precopyInfo"),
          InstanceMethod<&DataFdObject::Close>("close"),
      });
}

DataFdObject::DataFdObject(Info info)
    : ObjectWrap(info), session_(Environment::Of(info.Env()).TakeSession()) {
  if (!session_) {
    Napi::TypeError::New(info.Env(), "Illegal constructor").ThrowAsJavaScriptException();
    return;
  }
  info.This().As<Napi::Object>().TypeTag(&kTag);
}

bool DataFdObject::IsOurs(Info info) {
  if (info.This().As<Napi::Object>().CheckTypeTag(&kTag)) return true;
  Napi::TypeError::New(info.Env(), "Illegal invocation").ThrowAsJavaScriptException();
  return false;
}

Napi::Value DataFdObject::Read(Info info) {
  if (!IsOurs(info)) return Napi::Value();
  Arguments arguments(info);
  size_t max_bytes = arguments.Size(0, "maxBytes");
  if (max_bytes == 0) arguments.Fail("maxBytes", "at least 1");
  int wait_ms = arguments.Milliseconds(1, "waitMs");
  bool is_own = arguments.Flag(2, "own");
  if (arguments.failed()) return arguments.Throw();
  return PostRead(info.Env(), max_bytes, wait_ms, ReadKind::kFirst, is_own);
}

Napi::Value DataFdObject::ReadBehind(Info info) {
  if (!IsOurs(info)) return Napi::Value();
  Arguments arguments(info);
  size_t max_bytes = arguments.Size(0, "maxBytes");
  if (max_bytes == 0) arguments.Fail("maxBytes", "at least 1");
  bool is_own = arguments.Flag(1, "own");
  if (arguments.failed()) return arguments.Throw();
  return PostRead(info.Env(), max_bytes, 0, ReadKind::kBehind, is_own);
}

Napi::Value DataFdObject::PostRead(Napi::Env env, size_t max_bytes, int wait_ms, ReadKind kind,
                                   bool is_own) {
  Held<DataFd> session = session_.held();
  has_read_ = true;
  if (is_own) KeepFreedMemory();
  return Begin(
      env, this, -EBADF,
      [session, max_bytes, wait_ms, kind, is_own] {
        ReadData data = session->Read(max_bytes, wait_ms, kind);
        data.is_own = is_own;
        return data;
      },
      [&session](Job* job) { return session->Post(job); });
}

Napi::Value DataFdObject::Write(Info info) {
  if (!IsOurs(info)) return Napi::Value();
  Napi::Env env = info.Env();
  Arguments arguments(info);
  Napi::Uint8Array data = arguments.Bytes(0, "data");
  if (arguments.failed()) return arguments.Throw();
  auto* call = new (std::nothrow) WriteCall(Environment::Of(env).queue(), this, session_.held());
  if (!call) return OutOfMemory(env);
  Napi::Value promise = call->Begin(env, data);
  if (promise.IsEmpty()) {
    delete call;
  } else {
    writes_.Push(env, call);
  }
  return promise;
}

/// Whatever session it is of.
Napi::Value DataFdObject::Release(Info info) {
  if (!IsOurs(info)) return Napi::Value();
  Arguments arguments(info);
  Napi::Uint8Array data = arguments.Bytes(0, "data");
  if (arguments.failed()) return arguments.Throw();
  bool released = Environment::Of(info.Env()).loans().Release(info.Env(), data);
  return Napi::Boolean::New(info.Env(), released);
}

/// Likewise.
Napi::Value DataFdObject::IsLent(Info info) {
  if (!IsOurs(info)) return Napi::Value();
  Arguments arguments(info);
  Napi::Uint8Array data = arguments.Bytes(0, "data");
  if (arguments.failed()) return arguments.Throw();
  bool is_lent = Environment::Of(info.Env()).loans().Has(data.Data(), data.ByteLength());
  return Napi::Boolean::New(info.Env(), is_lent);
}

Napi::Value DataFdObject::PumpTo(Info info) {
  if (!IsOurs(info)) return Napi::Value();
  has_read_ = true;
  return BeginPump(info, this, session_.held(), O_WRONLY, false);
}

Napi::Value DataFdObject::PumpFrom(Info info) {
  if (!IsOurs(info)) return Napi::Value();
  return BeginPump(info, this, session_.held(), O_RDONLY, writes_.is_broken());
}

Napi::Value DataFdObject::PutTo(Info info) {
  if (!IsOurs(info)) return Napi::Value();
  return BeginPut(info, this, session_.held());
}

Napi::Value DataFdObject::Summarize(Info info) {
  if (IsOurs(info)) session_.held()->Summarize();
  return Napi::Value();
}

Napi::Value DataFdObject::GetDigest(Info info) {
  if (!IsOurs(info)) return Napi::Value();
  return Napi::String::New(info.Env(), session_.held()->digest());
}

/// A lane looks at it without a lock, and so it is there before the lane's first job.
Napi::Value DataFdObject::RelayTo(Info info) {
  if (!IsOurs(info)) return Napi::Value();
  Arguments arguments(info);
  Napi::Object to = arguments.Object(0, "to");
  if (arguments.failed()) return arguments.Throw();
  bool fits = !has_read_ && to.CheckTypeTag(&kTag) && Unwrap(to) != this;
  if (fits) session_->RelayTo(Unwrap(to)->session_.held());
  return Napi::Number::New(info.Env(), fits ? 0 : -EINVAL);
}

Napi::Value DataFdObject::Relayed(Info info) {
  if (!IsOurs(info)) return Napi::Value();
  Arguments arguments(info);
  uint64_t bytes = arguments.Size(0, "bytes");
  if (arguments.failed()) return arguments.Throw();
  Held<DataFd> session = session_.held();
  return Begin(
      info.Env(), this, -EBADF, [session, bytes] { return session->Relayed(bytes); },
      [&session](Job* job) { return session->Post(job); });
}

/// In the control lane of the device, where it takes its turn with the SETs. The session may end
/// before that.
Napi::Value DataFdObject::GetPrecopyInfo(Info info) {
  if (!IsOurs(info)) return Napi::Value();
  Held<DataFd> session = session_.held();
  return Begin(
      info.Env(), this, -ENODEV, [session] { return session->GetPrecopyInfo(); },
      [&session](Job* job) { return !session->closing() && session->device()->Post(job); });
}

Napi::Value DataFdObject::Close(Info info) {
  if (!IsOurs(info)) return Napi::Value();
  if (!closed_.IsEmpty()) return closed_.Value();
  Held<DataFd> session = session_.held();
  Napi::Value promise = Begin(
      info.Env(), this, 0, [] { return Nothing(); },
      [&session](Job* job) {
        session->DeliverWhenClosed(job);
        session->Shutdown();
        return true;
      });
  if (!promise.IsEmpty()) closed_ = Napi::Persistent(promise.As<Napi::Object>());
  return promise;
}

}  // namespace vfio_migrate
