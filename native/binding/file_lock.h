// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <napi.h>

#include "../core/file_lock.h"

namespace vfio_migrate {

/// FileLock of lib/backend/seam.ts. Released when it is collected, too.
class FileLockObject final : public Napi::ObjectWrap<FileLockObject> {
 public:
  static Napi::Function Define(Napi::Env env);
  explicit FileLockObject(const Napi::CallbackInfo& info);

 private:
  Napi::Value Release(const Napi::CallbackInfo& info);

  Fd fd_;
};

/// lockFile of lib/backend/seam.ts.
Napi::Value LockFileCall(const Napi::CallbackInfo& info);

}  // namespace vfio_migrate
