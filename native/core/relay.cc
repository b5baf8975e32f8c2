// SPDX-License-Identifier: Apache-2.0
#include "relay.h"

#include <cstring>
#include <new>

#include "data_fd.h"

namespace vfio_migrate {

std::unique_ptr<RelayedPiece> RelayedPiece::Create(const Held<DataFd>& to,
                                                   const Held<Buffer>& buffer) {
  return std::unique_ptr<RelayedPiece>(new (std::nothrow) RelayedPiece(to, buffer));
}

void RelayedPiece::Post(std::unique_ptr<RelayedPiece> piece, const uint8_t* data, size_t length) {
  piece->Take(data, length);
  // It may be gone before this returns.
  Held<DataFd> to = piece->to_;
  RelayedPiece* posted = piece.release();
  if (!to->Post(posted)) delete posted;
}

/// JavaScript counts the bytes, and lets go of a buffer that has few of them.
void RelayedPiece::Take(const uint8_t* data, size_t length) {
  data_ = data;
  length_ = length;
  if (length >= kLeastLentBytes) return;
  own_.reset(new (std::nothrow) uint8_t[length]);
  if (!own_) return;
  memcpy(own_.get(), data, length);
  data_ = own_.get();
  buffer_ = Held<Buffer>();
}

void RelayedPiece::Run() { to_->WriteRelayed(data_, length_); }

}  // namespace vfio_migrate
