// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <napi.h>

#include "../core/buffer.h"

namespace vfio_migrate {

class Loan;

/// The buffers of lanes that the JavaScript of one environment sees, each through an ArrayBuffer
/// over its memory. They come back when they are released, or when the ArrayBuffer is collected, if
/// that ever happens. JavaScript thread only.
class Loans {
 public:
  Loans() = default;
  Loans(const Loans&) = delete;
  Loans& operator=(const Loans&) = delete;
  /// At the end of the environment, before or behind which its ArrayBuffers go.
  ~Loans();

  /// A Buffer of the first `length` bytes. Null, with nothing pending, where that cannot be: in a
  /// runtime whose ArrayBuffers take no memory but V8's, or in an environment that is ending.
  napi_value Lend(Napi::Env env, const Held<Buffer>& buffer, size_t length);
  /// Takes back what `array` shows, which shows nothing any more. False, and without effect, on an
  /// array that is not the whole of a loan: somebody else may have the rest.
  bool Release(Napi::Env env, const Napi::Uint8Array& array);
  /// Whether a loan has all of these bytes.
  bool Has(const uint8_t* bytes, size_t length) const { return At(bytes, length) != nullptr; }
  /// What is lent and has all of these bytes; null where nothing does.
  Held<Buffer> Find(const uint8_t* bytes, size_t length) const;

 private:
  friend class Loan;

  Loan* At(const uint8_t* bytes, size_t length) const;

  Loan* first_ = nullptr;
};

}  // namespace vfio_migrate
