// SPDX-License-Identifier: Apache-2.0
#include "arguments.h"

#include <algorithm>
#include <climits>
#include <cmath>

namespace vfio_migrate {

bool IsInteger(const Napi::Value& value, double low, double high) {
  if (!value.IsNumber()) return false;
  double number = value.As<Napi::Number>().DoubleValue();
  return number >= low && number <= high && number == std::trunc(number);
}

double Arguments::Integer(size_t index, const char* name, double low, double high) {
  Napi::Value value = info_[index];
  if (IsInteger(value, low, high)) return value.As<Napi::Number>().DoubleValue();
  Fail(name, "an integer in range");
  return low;
}

uint64_t Arguments::Size(size_t index, const char* name) {
  constexpr double kMaxSafeInteger = 9007199254740991.0;
  return static_cast<uint64_t>(Integer(index, name, 0, kMaxSafeInteger));
}

uint32_t Arguments::Uint32(size_t index, const char* name) {
  return static_cast<uint32_t>(Integer(index, name, 0, UINT32_MAX));
}

int Arguments::Milliseconds(size_t index, const char* name) {
  Napi::Value value = info_[index];
  double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : -1;
  if (number >= 0) return static_cast<int>(std::min(std::ceil(number), double{INT_MAX}));
  Fail(name, "a number of milliseconds");
  return 0;
}

bool Arguments::Flag(size_t index, const char* name) {
  Napi::Value value = info_[index];
  if (value.IsBoolean()) return value.As<Napi::Boolean>().Value();
  if (!value.IsUndefined()) Fail(name, "a boolean");
  return false;
}

std::string Arguments::String(size_t index, const char* name) {
  Napi::Value value = info_[index];
  std::string text = value.IsString() ? value.As<Napi::String>().Utf8Value() : std::string();
  if (text.empty() || text.find('\0') != std::string::npos) Fail(name, "a string without NUL");
  return text;
}

uint64_t Arguments::Uint64(size_t index, const char* name) {
  Napi::Value value = info_[index];
  bool lossless = false;
  uint64_t number = value.IsBigInt() ? value.As<Napi::BigInt>().Uint64Value(&lossless) : 0;
  if (!lossless) Fail(name, "a bigint of 64 bits");
  return number;
}

template <typename Array>
Array Arguments::Typed(size_t index, const char* name, napi_typedarray_type type,
                       const char* expected) {
  Napi::Value value = info_[index];
  if (value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == type) {
    return value.As<Array>();
  }
  Fail(name, expected);
  return Array();
}

Napi::Uint8Array Arguments::Bytes(size_t index, const char* name) {
  return Typed<Napi::Uint8Array>(index, name, napi_uint8_array, "a Uint8Array");
}

Napi::BigUint64Array Arguments::Words(size_t index, const char* name) {
  return Typed<Napi::BigUint64Array>(index, name, napi_biguint64_array, "a BigUint64Array");
}

Napi::Array Arguments::List(size_t index, const char* name) {
  Napi::Value value = info_[index];
  if (value.IsArray()) return value.As<Napi::Array>();
  Fail(name, "an array");
  return Napi::Array();
}

Napi::Object Arguments::Object(size_t index, const char* name) {
  Napi::Value value = info_[index];
  if (value.IsObject()) return value.As<Napi::Object>();
  Fail(name, "an object");
  return Napi::Object();
}

void Arguments::Fail(const char* name, const char* expected) {
  if (failed()) return;
  mistake_ = std::string(name) + " must be " + expected;
}

Napi::Value Arguments::Throw() const {
  // To throw over it would end the process.
  if (info_.Env().IsExceptionPending()) return Napi::Value();
  Napi::TypeError::New(info_.Env(), mistake_).ThrowAsJavaScriptException();
  return Napi::Value();
}

}  // namespace vfio_migrate
