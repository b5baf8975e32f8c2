// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <napi.h>

#include "../core/data_fd.h"
#include "../core/device.h"
#include "../core/dma_log.h"
#include "../core/pump.h"
#include "../core/region.h"

namespace vfio_migrate {

struct Opened {
  Answer result = 0;
  OpenStep step = OpenStep::kStartThread;
  Owner<Device> device;
};

/// The answer of a device or session that was closed: nothing but that it is.
struct Nothing {};

/// The shapes of lib/backend/seam.ts. JavaScript thread. An empty value leaves an exception
/// pending.
Napi::Value ToJs(Napi::Env env, Answer& answer);
Napi::Value ToJs(Napi::Env env, Nothing& nothing);
Napi::Value ToJs(Napi::Env env, DeviceInfo& info);
Napi::Value ToJs(Napi::Env env, RegionInfo& info);
Napi::Value ToJs(Napi::Env env, RegionData& data);
Napi::Value ToJs(Napi::Env env, Arcs& arcs);
Napi::Value ToJs(Napi::Env env, Bitmap& bitmap);
Napi::Value ToJs(Napi::Env env, ReadData& data);
Napi::Value ToJs(Napi::Env env, PrecopyInfo& info);
Napi::Value ToJs(Napi::Env env, PumpResult& pumped);
Napi::Value ToJs(Napi::Env env, Opened& opened);

}  // namespace vfio_migrate
