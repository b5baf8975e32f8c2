// SPDX-License-Identifier: Apache-2.0
#include "answers.h"

#include <cstring>

#include "environment.h"

namespace vfio_migrate {

namespace {

const char* StepName(OpenStep step) {
  switch (step) {
    case OpenStep::kOpenCdev:
      return "open cdev";
    case OpenStep::kOpenIommufd:
      return "open iommufd";
    case OpenStep::kBindIommufd:
      return "VFIO_DEVICE_BIND_IOMMUFD";
    case OpenStep::kOpenGroup:
      return "open group";
    case OpenStep::kGroupGetStatus:
      return "VFIO_GROUP_GET_STATUS";
    case OpenStep::kOpenContainer:
      return "open container";
    case OpenStep::kGroupSetContainer:
      return "VFIO_GROUP_SET_CONTAINER";
    case OpenStep::kSetIommu:
      return "VFIO_SET_IOMMU";
    case OpenStep::kGroupGetDeviceFd:
      return "VFIO_GROUP_GET_DEVICE_FD";
    case OpenStep::kStartThread:
      return "start thread";
  }
  return "";
}

const char* CallName(PumpCall call) {
  switch (call) {
    case PumpCall::kEventfd:
      return "eventfd";
    case PumpCall::kDup:
      return "dup";
    case PumpCall::kMmap:
      return "mmap";
    case PumpCall::kRead:
      return "read";
    case PumpCall::kWrite:
      return "write";
  }
  return "";
}

Napi::Number Number(Napi::Env env, uint64_t value) {
  return Napi::Number::New(env, static_cast<double>(value));
}

Napi::Object WithResult(Napi::Env env, Answer result) {
  Napi::Object object = Napi::Object::New(env);
  object.Set("result", Napi::Number::New(env, static_cast<double>(result)));
  return object;
}

/// { result, data }: a copy in memory of the receiver's own, not cleared first.
Napi::Object WithData(Napi::Env env, Answer result, const uint8_t* bytes) {
  size_t length = result > 0 ? static_cast<size_t>(result) : 0;
  void* copy = nullptr;
  napi_value data = nullptr;
  if (napi_create_buffer(env, length, &copy, &data) != napi_ok) {
    env.GetAndClearPendingException();
    result = -ENOMEM;
    length = 0;
    data = Napi::Buffer<uint8_t>::New(env, 0);
  }
  if (length > 0) memcpy(copy, bytes, length);
  Napi::Object object = WithResult(env, result);
  object.Set("data", data);
  return object;
}

/// { result, data, lent }: the lane's own buffer, where that is worth it, and whoever asked and the
/// runtime allow it.
Napi::Object WithBuffer(Napi::Env env, const ReadData& data) {
  if (data.is_own || data.result < static_cast<Answer>(kLeastLentBytes)) {
    return WithData(env, data.result, data.buffer ? data.buffer->data() : nullptr);
  }
  auto length = static_cast<size_t>(data.result);
  napi_value lent = Environment::Of(env).loans().Lend(env, data.buffer, length);
  if (!lent) return WithData(env, data.result, data.buffer->data());
  Napi::Object object = WithResult(env, data.result);
  object.Set("data", lent);
  object.Set("lent", Napi::Boolean::New(env, true));
  return object;
}

template <typename Array, typename Element>
Napi::Value CopyToArray(Napi::Env env, const Element* elements, size_t count) {
  auto array = Array::New(env, count);
  if (!array.IsEmpty() && count > 0) memcpy(array.Data(), elements, count * sizeof(Element));
  return array;
}

Napi::Array SparseAreas(Napi::Env env, const RegionInfo& info) {
  Napi::Array areas = Napi::Array::New(env, info.area_count);
  for (uint32_t i = 0; i < info.area_count; i++) {
    Napi::Object area = Napi::Object::New(env);
    area.Set("offset", Number(env, info.areas[i].offset));
    area.Set("size", Number(env, info.areas[i].size));
    areas.Set(i, area);
  }
  return areas;
}

}  // namespace

Napi::Value ToJs(Napi::Env env, Answer& answer) {
  return Napi::Number::New(env, static_cast<double>(answer));
}

Napi::Value ToJs(Napi::Env env, Nothing&) { return env.Undefined(); }

Napi::Value ToJs(Napi::Env env, DeviceInfo& info) {
  Napi::Object object = WithResult(env, info.result);
  object.Set("flags", Number(env, info.flags));
  object.Set("numRegions", Number(env, info.num_regions));
  object.Set("numIrqs", Number(env, info.num_irqs));
  return object;
}

Napi::Value ToJs(Napi::Env env, RegionInfo& info) {
  Napi::Object object = WithResult(env, info.result);
  bool known = info.result >= 0;
  object.Set("flags", Number(env, info.flags));
  object.Set("size", Number(env, known ? info.size : 0));
  object.Set("offset", Number(env, known ? info.offset : 0));
  if (known && info.has_type) {
    Napi::Object type = Napi::Object::New(env);
    type.Set("type", Number(env, info.type));
    type.Set("subtype", Number(env, info.subtype));
    object.Set("type", type);
  }
  if (known && info.has_sparse) object.Set("sparse", SparseAreas(env, info));
  return object;
}

Napi::Value ToJs(Napi::Env env, RegionData& data) {
  return WithData(env, data.result, data.data.get());
}

Napi::Value ToJs(Napi::Env env, Arcs& arcs) {
  Napi::Object object = WithResult(env, arcs.result);
  object.Set("done", Number(env, arcs.done));
  object.Set("times", CopyToArray<Napi::Float64Array>(env, arcs.times.get(), arcs.time_count));
  object.Set("arc", Number(env, arcs.arc));
  if (arcs.moved) object.Set("found", Napi::Number::New(env, static_cast<double>(arcs.found)));
  if (arcs.passed > 0) object.Set("passed", Napi::Number::New(env, arcs.passed));
  if (!arcs.session) return object;
  Napi::Value session = Environment::Of(env).Wrap(std::move(arcs.session));
  if (session.IsEmpty()) return session;
  object.Set("session", session);
  return object;
}

Napi::Value ToJs(Napi::Env env, Bitmap& bitmap) {
  Napi::Object object = WithResult(env, bitmap.result);
  object.Set("bitmap", CopyToArray<Napi::BigUint64Array>(env, bitmap.words.get(), bitmap.count));
  return object;
}

Napi::Value ToJs(Napi::Env env, ReadData& data) {
  Napi::Object object = WithBuffer(env, data);
  object.Set("arc", Number(env, data.arc));
  return object;
}

Napi::Value ToJs(Napi::Env env, PrecopyInfo& info) {
  Napi::Object object = WithResult(env, info.result);
  bool known = info.result >= 0;
  object.Set("initialBytes", Number(env, known ? info.initial_bytes : 0));
  object.Set("dirtyBytes", Number(env, known ? info.dirty_bytes : 0));
  object.Set("flags", Number(env, info.flags));
  return object;
}

Napi::Value ToJs(Napi::Env env, PumpResult& pumped) {
  Napi::Object object = WithResult(env, pumped.result);
  object.Set("call", CallName(pumped.call));
  object.Set("bytes", Number(env, pumped.bytes));
  object.Set("arc", Number(env, pumped.arc));
  if (pumped.rest_length == 0) return object;
  const uint8_t* rest = pumped.buffer->data() + pumped.rest_at;
  Napi::Value copy = Napi::Buffer<uint8_t>::Copy(env, rest, pumped.rest_length);
  if (!copy.IsEmpty()) object.Set("rest", copy);
  return copy.IsEmpty() ? copy : object;
}

Napi::Value ToJs(Napi::Env env, Opened& opened) {
  Napi::Object object = WithResult(env, opened.result);
  object.Set("step", StepName(opened.step));
  if (opened.result < 0) return object;
  Napi::Value calls = Environment::Of(env).Wrap(std::move(opened.device));
  if (calls.IsEmpty()) return calls;
  object.Set("calls", calls);
  return object;
}

}  // namespace vfio_migrate
