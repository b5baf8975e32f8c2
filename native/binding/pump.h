// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <napi.h>

#include "../core/pump.h"

namespace vfio_migrate {

/// Pump of lib/backend/seam.ts. One that is collected runs on.
class PumpObject final : public Napi::ObjectWrap<PumpObject> {
 public:
  static Napi::Function Define(Napi::Env env);
  explicit PumpObject(const Napi::CallbackInfo& info);

 private:
  using Info = const Napi::CallbackInfo&;

  Napi::Value BytesRead(Info info);
  Napi::Value BytesWritten(Info info);
  Napi::Value Cancel(Info info);
  bool IsOurs(Info info);

  Held<PumpControl> control_;
};

/// Posts a pump that writes to the fd (O_WRONLY) or reads from it (O_RDONLY) into the data lane.
/// `self` is the session's object. Nothing is written behind a hole: `is_broken`.
Napi::Value BeginPump(const Napi::CallbackInfo& info, Napi::Reference<Napi::Object>* self,
                      const Held<DataFd>& session, int access, bool is_broken);
/// Writes an array to the fd beside the data lane.
Napi::Value BeginPut(const Napi::CallbackInfo& info, Napi::Reference<Napi::Object>* self,
                     const Held<DataFd>& session);

}  // namespace vfio_migrate
