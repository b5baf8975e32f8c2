// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <napi.h>

#include "../core/device.h"
#include "arguments.h"
#include "completion.h"

namespace vfio_migrate {

/// DeviceCalls of lib/backend/seam.ts. When it is collected without having been closed, the device
/// is closed all the same, once its sessions are.
class DeviceObject final : public Napi::ObjectWrap<DeviceObject> {
 public:
  static Napi::Function Define(Napi::Env env);
  explicit DeviceObject(const Napi::CallbackInfo& info);
  ~DeviceObject() override;

 private:
  using Info = const Napi::CallbackInfo&;

  Napi::Value GetDeviceInfo(Info info);
  Napi::Value GetRegionInfo(Info info);
  Napi::Value RegionRead(Info info);
  Napi::Value RegionWrite(Info info);
  Napi::Value Probe(Info info);
  Napi::Value MigrationFlags(Info info);
  Napi::Value GetState(Info info);
  Napi::Value SetStates(Info info);
  Napi::Value SetStatesFrom(Info info);
  Napi::Value DataSize(Info info);
  Napi::Value OptInPrecopyInfoV2(Info info);
  Napi::Value DmaLoggingStart(Info info);
  Napi::Value DmaLoggingStop(Info info);
  Napi::Value DmaLoggingReport(Info info);
  Napi::Value Reset(Info info);
  Napi::Value Fds(Info info);
  Napi::Value Close(Info info);

  /// `work(Device&)` in the control lane.
  template <typename Work>
  Napi::Value InControlLane(Info info, Work work);
  /// `call(fd)` in the control lane.
  Napi::Value Call(Info info, Answer (*call)(int));
  /// SET in turn; the gate is the argument of that index.
  Napi::Value Drive(Info info, Arguments* arguments, uint32_t from, size_t gate);
  bool IsOurs(Info info);

  Held<CompletionQueue> queue_;
  Owner<Device> device_;
  Napi::ObjectReference closed_;
};

}  // namespace vfio_migrate
