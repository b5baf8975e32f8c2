// SPDX-License-Identifier: Apache-2.0
#include "loans.h"

#include <new>
#include <utility>

namespace vfio_migrate {

/// One ArrayBuffer, which deletes this when it is gone. That may be long after its memory was taken
/// back, and after the environment.
class Loan {
 public:
  Loan(Loans* loans, const Held<Buffer>& buffer, size_t length) : buffer_(buffer), length_(length) {
    next_ = loans->first_;
    if (next_) next_->previous_ = &next_;
    previous_ = &loans->first_;
    loans->first_ = this;
  }
  ~Loan() { End(); }

  static void OnCollected(napi_env, void*, void* self) { delete static_cast<Loan*>(self); }

  /// Whoever still has a hold on the memory keeps it.
  void End() {
    if (previous_) {
      *previous_ = next_;
      if (next_) next_->previous_ = previous_;
      previous_ = nullptr;
    }
    buffer_ = Held<Buffer>();
  }

  bool Has(const uint8_t* bytes, size_t length) const {
    const uint8_t* begin = buffer_->data();
    return bytes >= begin && bytes + length <= begin + length_;
  }
  size_t length() const { return length_; }
  Loan* next() const { return next_; }
  const Held<Buffer>& buffer() const { return buffer_; }

 private:
  Held<Buffer> buffer_;
  size_t length_;
  Loan* next_;
  /// Null when it has ended.
  Loan** previous_;
};

Loans::~Loans() {
  while (first_) first_->End();
}

namespace {

/// Whether there is no ArrayBuffer, whose end would be told: the runtime lends nothing, or the
/// environment is ending, which answers like an exception but without one.
bool IsRefusal(Napi::Env env, napi_status status) {
  return status == napi_no_external_buffers_allowed ||
         (status == napi_pending_exception && !env.IsExceptionPending());
}

}  // namespace

napi_value Loans::Lend(Napi::Env env, const Held<Buffer>& buffer, size_t length) {
  auto* loan = new (std::nothrow) Loan(this, buffer, length);
  if (!loan) return nullptr;
  napi_value data = nullptr;
  napi_status status =
      napi_create_external_buffer(env, length, buffer->data(), &Loan::OnCollected, loan, &data);
  if (status == napi_ok) return data;
  bool refused = IsRefusal(env, status);
  env.GetAndClearPendingException();
  if (refused) {
    delete loan;
  } else {
    loan->End();
  }
  return nullptr;
}

Loan* Loans::At(const uint8_t* bytes, size_t length) const {
  if (length == 0) return nullptr;
  for (Loan* loan = first_; loan; loan = loan->next()) {
    if (loan->Has(bytes, length)) return loan;
  }
  return nullptr;
}

Held<Buffer> Loans::Find(const uint8_t* bytes, size_t length) const {
  Loan* loan = At(bytes, length);
  return loan ? loan->buffer() : Held<Buffer>();
}

bool Loans::Release(Napi::Env env, const Napi::Uint8Array& array) {
  size_t length = array.ByteLength();
  Loan* loan = At(array.Data(), length);
  if (!loan || loan->length() != length) return false;
  // Where the view cannot be taken away, neither can the memory.
  if (napi_detach_arraybuffer(env, array.ArrayBuffer()) != napi_ok) return false;
  loan->End();
  return true;
}

}  // namespace vfio_migrate
