// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <napi.h>

#include <string>

namespace vfio_migrate {

/// Reads arguments by position. A wrong one is a mistake of the caller's code: the first is
/// remembered, and thrown by Throw() as a TypeError. std::string ends the process when memory is
/// short. That is accepted for paths and messages: V8, which has just made as much, does the same.
class Arguments {
 public:
  explicit Arguments(const Napi::CallbackInfo& info) : info_(info) {}

  /// An integer from `low` to `high`.
  double Integer(size_t index, const char* name, double low, double high);
  uint32_t Uint32(size_t index, const char* name);
  /// A size or offset that a number holds exactly.
  uint64_t Size(size_t index, const char* name);
  /// A span of time, rounded up.
  int Milliseconds(size_t index, const char* name);
  /// True or false; false where it is left out.
  bool Flag(size_t index, const char* name);
  /// A path or name, without a NUL in it.
  std::string String(size_t index, const char* name);
  uint64_t Uint64(size_t index, const char* name);
  Napi::Uint8Array Bytes(size_t index, const char* name);
  Napi::BigUint64Array Words(size_t index, const char* name);
  Napi::Array List(size_t index, const char* name);
  Napi::Object Object(size_t index, const char* name);
  bool IsUndefined(size_t index) const { return info_[index].IsUndefined(); }

  void Fail(const char* name, const char* expected);
  bool failed() const { return !mistake_.empty(); }
  /// Leaves the TypeError pending, or what a getter of the caller's threw before it.
  Napi::Value Throw() const;

 private:
  template <typename Array>
  Array Typed(size_t index, const char* name, napi_typedarray_type type, const char* expected);

  const Napi::CallbackInfo& info_;
  std::string mistake_;
};

/// Whether `value` is an integer from `low` to `high`.
bool IsInteger(const Napi::Value& value, double low, double high);

}  // namespace vfio_migrate
