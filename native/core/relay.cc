// SPDX-License-Identifier: Apache-2.0
#include "relay.h"

#include <new>

#include "data_fd.h"

namespace vfio_migrate {

std::unique_ptr<RelayedPiece> RelayedPiece::Create(const Held<DataFd>& to,
                                                   const Held<Buffer>& buffer) {
  return std::unique_ptr<RelayedPiece>(new (std::nothrow) RelayedPiece(to, buffer));
}

void RelayedPiece::Post(std::unique_ptr<RelayedPiece> piece, const uint8_t* data, size_t length) {
  piece->data_ = data;
  piece->length_ = length;
  // It may be gone before this returns.
  Held<DataFd> to = piece->to_;
  RelayedPiece* posted = piece.release();
  if (!to->Post(posted)) delete posted;
}

void RelayedPiece::Run() { to_->WriteRelayed(data_, length_); }

}  // namespace vfio_migrate
