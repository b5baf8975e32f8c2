// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "buffer.h"
#include "job.h"

namespace vfio_migrate {

class DataFd;

/// So much of a read is on its way before the rest is read: the other lane has work early, and what
/// is left to be written when the last byte is read is little.
constexpr size_t kRelayedBytes = kPieceBytes / 4;
static_assert(kRelayedBytes >= kLeastLentBytes, "what is shorter is copied");

/// What one session has read, for the data lane of another to write. Nobody waits for it.
class RelayedPiece final : public Job {
 public:
  /// Null when memory is short.
  static std::unique_ptr<RelayedPiece> Create(const Held<DataFd>& to, const Held<Buffer>& buffer);

  /// Goes to the other lane, or nowhere where that has ended.
  static void Post(std::unique_ptr<RelayedPiece> piece, const uint8_t* data, size_t length);

  void Run() override;
  void Refuse(Answer) override {}
  void Deliver() override { delete this; }

 private:
  RelayedPiece(Held<DataFd> to, Held<Buffer> buffer)
      : to_(std::move(to)), buffer_(std::move(buffer)) {}
  void Take(const uint8_t* data, size_t length);

  Held<DataFd> to_;
  Held<Buffer> buffer_;
  std::unique_ptr<uint8_t[]> own_;
  const uint8_t* data_ = nullptr;
  size_t length_ = 0;
};

}  // namespace vfio_migrate
