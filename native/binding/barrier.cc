// SPDX-License-Identifier: Apache-2.0
#include "barrier.h"

#include <climits>

#include "environment.h"
#include "operation.h"

namespace vfio_migrate {

namespace {

constexpr napi_type_tag kTag = {0x91c40e7d3b5f4a26, 0x8d2a6cf01e97b354};

bool IsBarrier(const Napi::Value& value) {
  return value.IsObject() && value.As<Napi::Object>().CheckTypeTag(&kTag);
}

}  // namespace

Napi::Function BarrierObject::Define(Napi::Env env) {
  return DefineClass(env, "Barrier", {InstanceMethod<&BarrierObject::Break>("break")});
}

BarrierObject::BarrierObject(const Napi::CallbackInfo& info)
    : ObjectWrap(info), barrier_(Environment::Of(info.Env()).TakeBarrier()) {
  if (!barrier_) {
    Napi::TypeError::New(info.Env(), "Illegal constructor").ThrowAsJavaScriptException();
    return;
  }
  info.This().As<Napi::Object>().TypeTag(&kTag);
}

Held<Barrier> BarrierObject::Of(const Napi::Value& value) {
  return IsBarrier(value) ? Unwrap(value.As<Napi::Object>())->barrier_ : Held<Barrier>();
}

Napi::Value BarrierObject::Break(const Napi::CallbackInfo& info) {
  if (IsBarrier(info.This())) {
    barrier_->Break();
  } else {
    Napi::TypeError::New(info.Env(), "Illegal invocation").ThrowAsJavaScriptException();
  }
  return Napi::Value();
}

Held<Barrier> ReadGate(Arguments* arguments, size_t index, size_t count, size_t* before) {
  if (arguments->failed() || arguments->IsUndefined(index)) return Held<Barrier>();
  Napi::Object gate = arguments->Object(index, "gate");
  if (arguments->failed()) return Held<Barrier>();
  Napi::Value number = gate.Get("before");
  if (number.IsEmpty() || count == 0 || !IsInteger(number, 0, static_cast<double>(count - 1))) {
    arguments->Fail("before", "the index of a state");
    return Held<Barrier>();
  }
  *before = number.As<Napi::Number>().Uint32Value();
  Napi::Value object = gate.Get("barrier");
  Held<Barrier> barrier = object.IsEmpty() ? Held<Barrier>() : BarrierObject::Of(object);
  if (!barrier) arguments->Fail("barrier", "what barrier() made");
  return barrier;
}

Napi::Value BarrierCall(const Napi::CallbackInfo& info) {
  Arguments arguments(info);
  auto parties = static_cast<uint32_t>(arguments.Integer(0, "parties", 1, INT_MAX));
  if (arguments.failed()) return arguments.Throw();
  Held<Barrier> barrier = Barrier::Create(parties);
  if (!barrier) return OutOfMemory(info.Env());
  return Environment::Of(info.Env()).Wrap(std::move(barrier));
}

}  // namespace vfio_migrate
