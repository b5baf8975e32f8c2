// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <napi.h>

#include "../core/barrier.h"
#include "arguments.h"

namespace vfio_migrate {

/// Barrier of lib/backend/seam.ts. That it is collected breaks nothing: lanes may be waiting at it.
class BarrierObject final : public Napi::ObjectWrap<BarrierObject> {
 public:
  static Napi::Function Define(Napi::Env env);
  explicit BarrierObject(const Napi::CallbackInfo& info);

  /// Null where `value` is no barrier of ours.
  static Held<Barrier> Of(const Napi::Value& value);

 private:
  Napi::Value Break(const Napi::CallbackInfo& info);

  Held<Barrier> barrier_;
};

/// The barrier of a Gate of lib/backend/seam.ts, and before which of `count` SETs it stands. Null
/// where the argument is left out, or wrong.
Held<Barrier> ReadGate(Arguments* arguments, size_t index, size_t count, size_t* before);

/// barrier of lib/backend/seam.ts.
Napi::Value BarrierCall(const Napi::CallbackInfo& info);

}  // namespace vfio_migrate
