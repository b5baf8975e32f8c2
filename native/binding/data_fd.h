// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <napi.h>

#include "../core/data_fd.h"
#include "write.h"

namespace vfio_migrate {

/// SessionCalls of lib/backend/seam.ts. When it is collected without having been closed, the
/// session ends all the same.
class DataFdObject final : public Napi::ObjectWrap<DataFdObject> {
 public:
  static Napi::Function Define(Napi::Env env);
  explicit DataFdObject(const Napi::CallbackInfo& info);

 private:
  using Info = const Napi::CallbackInfo&;

  Napi::Value Read(Info info);
  Napi::Value ReadBehind(Info info);
  Napi::Value Write(Info info);
  Napi::Value Release(Info info);
  Napi::Value IsLent(Info info);
  Napi::Value PumpTo(Info info);
  Napi::Value PumpFrom(Info info);
  Napi::Value PutTo(Info info);
  Napi::Value Summarize(Info info);
  Napi::Value GetDigest(Info info);
  Napi::Value RelayTo(Info info);
  Napi::Value Relayed(Info info);
  Napi::Value GetPrecopyInfo(Info info);
  Napi::Value Close(Info info);
  Napi::Value PostRead(Napi::Env env, size_t max_bytes, int wait_ms, ReadKind kind, bool is_own);
  bool IsOurs(Info info);

  Owner<DataFd> session_;
  WriteQueue writes_;
  bool has_read_ = false;
  Napi::ObjectReference closed_;
};

}  // namespace vfio_migrate
