// SPDX-License-Identifier: Apache-2.0
#include "device.h"

#include <cstring>

#include "../core/dma_log.h"
#include "../core/feature.h"
#include "../core/region.h"
#include "arguments.h"
#include "barrier.h"
#include "operation.h"

namespace vfio_migrate {

namespace {

constexpr napi_type_tag kTag = {0x6f8d25d5a6174c0b, 0x9a0b3ff6f4a1c7d2};
constexpr size_t kMaxStates = 256;

size_t Width(Arguments* arguments, size_t index) {
  auto width = static_cast<size_t>(arguments->Integer(index, "width", 1, 8));
  if ((width & (width - 1)) != 0) arguments->Fail("width", "1, 2, 4 or 8");
  return width;
}

Path ReadPath(Arguments* arguments, Napi::Env env) {
  Path path;
  Napi::Array list = arguments->List(0, "states");
  if (arguments->failed()) return path;
  path.count = list.Length();
  if (path.count > kMaxStates) arguments->Fail("states", "a list of at most 256 states");
  if (arguments->failed()) return path;
  path.states.reset(new (std::nothrow) uint32_t[path.count]);
  if (!path.states) {
    OutOfMemory(env);
    return path;
  }
  for (uint32_t i = 0; i < path.count; i++) {
    Napi::Value state = list.Get(i);
    if (!IsInteger(state, 0, UINT32_MAX)) {
      arguments->Fail("states", "a list of state numbers");
      return path;
    }
    path.states[i] = state.As<Napi::Number>().Uint32Value();
  }
  return path;
}

/// A copy: the caller's memory is V8's.
template <typename Element, typename Array>
std::unique_ptr<Element[]> Copy(const Array& array) {
  std::unique_ptr<Element[]> copy(new (std::nothrow) Element[array.ByteLength() / sizeof(Element)]);
  if (copy && array.ByteLength() > 0) memcpy(copy.get(), array.Data(), array.ByteLength());
  return copy;
}

}  // namespace

Napi::Function DeviceObject::Define(Napi::Env env) {
  return DefineClass(env, "DeviceCalls",
                     {
                         InstanceMethod<&DeviceObject::GetDeviceInfo>("deviceInfo"),
                         InstanceMethod<&DeviceObject::GetRegionInfo>("regionInfo"),
                         InstanceMethod<&DeviceObject::RegionRead>("regionRead"),
                         InstanceMethod<&DeviceObject::RegionWrite>("regionWrite"),
                         InstanceMethod<&DeviceObject::Probe>("probe"),
                         InstanceMethod<&DeviceObject::MigrationFlags>("migrationFlags"),
                         InstanceMethod<&DeviceObject::GetState>("getState"),
                         InstanceMethod<&DeviceObject::SetStates>("setStates"),
                         InstanceMethod<&DeviceObject::SetStatesFrom>("setStatesFrom"),
                         InstanceMethod<&DeviceObject::DataSize>("dataSize"),
                         InstanceMethod<&DeviceObject::OptInPrecopyInfoV2>("optInPrecopyInfoV2"),
                         InstanceMethod<&DeviceObject::DmaLoggingStart>("dmaLoggingStart"),
                         InstanceMethod<&DeviceObject::DmaLoggingStop>("dmaLoggingStop"),
                         InstanceMethod<&DeviceObject::DmaLoggingReport>("dmaLoggingReport"),
                         InstanceMethod<&DeviceObject::Reset>("reset"),
                         InstanceMethod<&DeviceObject::Fds>("fds"),
                         InstanceMethod<&DeviceObject::Close>("close"),
                     });
}

DeviceObject::DeviceObject(Info info)
    : ObjectWrap(info),
      queue_(Environment::Of(info.Env()).queue()),
      device_(Environment::Of(info.Env()).TakeDevice()) {
  if (!device_) {
    Napi::TypeError::New(info.Env(), "Illegal constructor").ThrowAsJavaScriptException();
    return;
  }
  info.This().As<Napi::Object>().TypeTag(&kTag);
}

/// At the end of the environment everything of the device ends, calls that wait for their turn
/// included.
DeviceObject::~DeviceObject() {
  if (device_ && !queue_->closed()) device_.Release()->Abandon();
}

bool DeviceObject::IsOurs(Info info) {
  if (info.This().As<Napi::Object>().CheckTypeTag(&kTag)) return true;
  Napi::TypeError::New(info.Env(), "Illegal invocation").ThrowAsJavaScriptException();
  return false;
}

template <typename Work>
Napi::Value DeviceObject::InControlLane(Info info, Work work) {
  if (!IsOurs(info)) return Napi::Value();
  Held<Device> device = device_.held();
  return Begin(
      info.Env(), this, -EBADF,
      [device, work = std::move(work)]() mutable { return work(*device); },
      [&device](Job* job) { return device->Post(job); });
}

Napi::Value DeviceObject::Call(Info info, Answer (*call)(int)) {
  return InControlLane(info, [call](Device& device) { return call(device.fd()); });
}

Napi::Value DeviceObject::GetDeviceInfo(Info info) {
  return InControlLane(info,
                       [](Device& device) { return vfio_migrate::GetDeviceInfo(device.fd()); });
}

Napi::Value DeviceObject::GetRegionInfo(Info info) {
  Arguments arguments(info);
  uint32_t index = arguments.Uint32(0, "index");
  if (arguments.failed()) return arguments.Throw();
  return InControlLane(
      info, [index](Device& device) { return vfio_migrate::GetRegionInfo(device.fd(), index); });
}

Napi::Value DeviceObject::RegionRead(Info info) {
  Arguments arguments(info);
  uint64_t offset = arguments.Size(0, "offset");
  uint64_t length = arguments.Size(1, "length");
  size_t width = Width(&arguments, 2);
  if (length % width != 0) arguments.Fail("length", "a multiple of width");
  if (arguments.failed()) return arguments.Throw();
  return InControlLane(info, [offset, length, width](Device& device) {
    return ReadRegion(device.fd(), offset, length, width);
  });
}

Napi::Value DeviceObject::RegionWrite(Info info) {
  Arguments arguments(info);
  uint64_t offset = arguments.Size(0, "offset");
  Napi::Uint8Array data = arguments.Bytes(1, "data");
  size_t width = Width(&arguments, 2);
  if (arguments.failed()) return arguments.Throw();
  size_t length = data.ByteLength();
  if (length % width != 0) arguments.Fail("data", "a multiple of width");
  if (length > kMaxRegionBytes) arguments.Fail("data", "at most 16 MiB");
  if (arguments.failed()) return arguments.Throw();
  auto copy = Copy<uint8_t>(data);
  if (!copy) return OutOfMemory(info.Env());
  return InControlLane(info, [offset, copy = std::move(copy), length, width](Device& device) {
    return WriteRegion(device.fd(), offset, copy.get(), length, width);
  });
}

Napi::Value DeviceObject::Probe(Info info) {
  Arguments arguments(info);
  uint32_t feature = arguments.Uint32(0, "feature");
  uint32_t operations = arguments.Uint32(1, "operations");
  if (arguments.failed()) return arguments.Throw();
  return InControlLane(info, [feature, operations](Device& device) {
    return feature::Probe(device.fd(), feature, operations);
  });
}

Napi::Value DeviceObject::MigrationFlags(Info info) { return Call(info, feature::MigrationFlags); }

Napi::Value DeviceObject::GetState(Info info) { return Call(info, feature::GetState); }

Napi::Value DeviceObject::SetStates(Info info) {
  Arguments arguments(info);
  return Drive(info, &arguments, kAnyState, 1);
}

Napi::Value DeviceObject::SetStatesFrom(Info info) {
  Arguments arguments(info);
  uint32_t from = static_cast<uint32_t>(arguments.Integer(1, "from", 0, kAnyState - 1));
  return Drive(info, &arguments, from, 2);
}

Napi::Value DeviceObject::Drive(Info info, Arguments* arguments, uint32_t from, size_t gate) {
  if (!IsOurs(info)) return Napi::Value();
  Path path = ReadPath(arguments, info.Env());
  path.from = from;
  size_t before = 0;
  Held<Barrier> barrier = ReadGate(arguments, gate, path.count, &before);
  if (arguments->failed()) return arguments->Throw();
  if (!path.states) return Napi::Value();
  // Only now: a gate that is let go breaks its barrier.
  path.gate = Gate(std::move(barrier), before);
  return InControlLane(info,
                       [path = std::move(path)](Device& device) { return device.SetStates(path); });
}

Napi::Value DeviceObject::DataSize(Info info) { return Call(info, feature::DataSize); }

Napi::Value DeviceObject::OptInPrecopyInfoV2(Info info) {
  return Call(info, feature::OptInPrecopyInfoV2);
}

Napi::Value DeviceObject::DmaLoggingStart(Info info) {
  Arguments arguments(info);
  uint64_t page_size = arguments.Size(0, "pageSize");
  Napi::BigUint64Array ranges = arguments.Words(1, "ranges");
  if (arguments.failed()) return arguments.Throw();
  if (ranges.ElementLength() % 2 != 0) arguments.Fail("ranges", "pairs of iova and length");
  if (arguments.failed()) return arguments.Throw();
  auto count = static_cast<uint32_t>(ranges.ElementLength() / 2);
  auto copy = Copy<uapi::DmaLoggingRange>(ranges);
  if (!copy) return OutOfMemory(info.Env());
  return InControlLane(info, [page_size, copy = std::move(copy), count](Device& device) {
    return feature::DmaLoggingStart(device.fd(), page_size, copy.get(), count);
  });
}

Napi::Value DeviceObject::DmaLoggingStop(Info info) { return Call(info, feature::DmaLoggingStop); }

Napi::Value DeviceObject::DmaLoggingReport(Info info) {
  Arguments arguments(info);
  uint64_t iova = arguments.Uint64(0, "iova");
  uint64_t length = arguments.Uint64(1, "length");
  uint64_t page_size = arguments.Size(2, "pageSize");
  if (arguments.failed()) return arguments.Throw();
  return InControlLane(info, [iova, length, page_size](Device& device) {
    return ReportDmaLog(device.fd(), iova, length, page_size);
  });
}

Napi::Value DeviceObject::Reset(Info info) {
  if (!IsOurs(info)) return Napi::Value();
  Held<Device> device = device_.held();
  return Begin(
      info.Env(), this, -EBADF, [device] { return device->Reset(); },
      [&device](Job* job) {
        Answer answer = device->RunBeside(job);
        if (answer < 0) job->RefuseAndDeliver(answer);
        return true;
      });
}

Napi::Value DeviceObject::Fds(Info info) {
  if (!IsOurs(info)) return Napi::Value();
  Napi::Object object = Napi::Object::New(info.Env());
  // Once it is closing the lanes may take the fds away at any moment.
  bool open = !device_->closing();
  const DeviceFds& fds = device_->fds();
  object.Set("device", open ? fds.device.get() : -1);
  if (!open) return object;
  if (fds.iommufd) object.Set("iommufd", fds.iommufd.get());
  if (fds.group_fd() >= 0) object.Set("group", fds.group_fd());
  if (fds.container_fd() >= 0) object.Set("container", fds.container_fd());
  return object;
}

Napi::Value DeviceObject::Close(Info info) {
  if (!IsOurs(info)) return Napi::Value();
  if (!closed_.IsEmpty()) return closed_.Value();
  Held<Device> device = device_.held();
  Napi::Value promise = Begin(
      info.Env(), this, 0, [] { return Nothing(); },
      [&device](Job* job) {
        device->DeliverWhenClosed(job);
        device->Shutdown();
        return true;
      });
  if (!promise.IsEmpty()) closed_ = Napi::Persistent(promise.As<Napi::Object>());
  return promise;
}

}  // namespace vfio_migrate
