// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <napi.h>

namespace vfio_migrate {

/// openCdev, openGroup and adopt of lib/backend/seam.ts.
Napi::Value OpenCdevCall(const Napi::CallbackInfo& info);
Napi::Value OpenGroupCall(const Napi::CallbackInfo& info);
Napi::Value AdoptCall(const Napi::CallbackInfo& info);

}  // namespace vfio_migrate
