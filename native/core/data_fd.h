// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "buffer.h"
#include "fd.h"
#include "lane.h"
#include "relay.h"
#include "running_sums.h"

namespace vfio_migrate {

class Device;

struct ReadData {
  Answer result = 0;
  /// As much as was asked for: there is more.
  bool is_full = false;
  /// Whoever asked wants memory of its own.
  bool is_own = false;
  Held<Buffer> buffer;
  /// The device's arc number when read(2) was issued.
  uint64_t arc = 0;
};

/// What a read has to do with the one before it.
enum class ReadKind {
  kFirst,
  /// Posted before that was answered: not made, and answered -EAGAIN, unless it gave bytes.
  kBehind,
};

struct PrecopyInfo {
  Answer result = 0;
  uint64_t initial_bytes = 0;
  uint64_t dirty_bytes = 0;
  uint32_t flags = 0;
};

/// One migration session: a data_fd and its data lane. It is a user of its device, whose fds stay
/// open for it.
class DataFd final : public LaneOwner {
 public:
  /// Everything that a session needs but its fd. In the control lane of the device, before the SET
  /// that opens the session: the kernel gives its fd once, so nothing of ours may fail after that.
  static Answer Prepare(const Held<Device>& device, Owner<DataFd>* prepared);
  /// Takes `fd`, once; a saving one becomes non-blocking. -ECANCELED when the device is ending.
  Answer Open(Fd fd);

  /// In the data lane. Blocks until there is something to answer, or the session ends.
  ReadData Read(size_t max_bytes, int wait_ms, ReadKind kind);
  /// As the first read, into memory of the caller's, and -ECANCELED when `cancel_fd` becomes
  /// readable.
  Answer ReadInto(uint8_t* data, size_t length, int wait_ms, int cancel_fd, uint64_t* arc);
  /// In the data lane. Blocks until all is taken. After the first failure every answer is -ENODEV
  /// without a call.
  Answer Write(const uint8_t* data, size_t length);
  /// In the data lane. Bytes of the stream will not come: what is behind them must not be written
  /// either.
  void EndWrites() { dead_ = true; }
  /// In the control lane of the device. Blocks.
  PrecopyInfo GetPrecopyInfo();

  /// What is read from now on goes to the data lane of `to` as well, and is written there; both sum
  /// it as RunningSums. Before the first read.
  void RelayTo(Held<DataFd> to);
  /// In the data lane: writes what another session has read.
  void WriteRelayed(const uint8_t* data, size_t length);
  /// In the data lane, behind that: `bytes` where so many were taken in all, or -errno of the write
  /// that failed.
  Answer Relayed(uint64_t bytes) const;

  /// From now on sums what is read, or what the kernel has taken. Before the first of them.
  void Summarize() { summed_.store(true, std::memory_order_release); }
  /// Of all that was answered. Its text has the kind before the sum.
  std::string digest() const;

  const Held<Device>& device() const { return device_; }
  BufferPool& pool() { return *pool_; }
  /// In the data lane. Readable, for good, when the session ends.
  int wake_fd() const { return wake_.get(); }

 private:
  friend class Device;

  DataFd(Held<Device> device, Fd wake, Held<BufferPool> pool);
  void Wake() override;
  void CloseFds() override;
  Answer ReadNow(uint8_t* data, size_t length, uint64_t* arc);
  Answer ReadOnce(uint8_t* data, size_t length, int cancel_fd, uint64_t* arc);
  Answer ReadRelayed(const Held<Buffer>& buffer, size_t length, int wait_ms, uint64_t* arc);
  Answer WaitReadable(int timeout_ms, int cancel_fd);
  Answer WriteAll(const uint8_t* data, size_t length, size_t* taken);
  void Sum(const uint8_t* data, size_t length);

  Held<Device> device_;
  Fd fd_;
  /// An eventfd that becomes readable, for good, when the session ends.
  Fd wake_;
  Held<BufferPool> pool_;
  /// In the data lane only: a write has failed; the last read gave bytes.
  bool dead_ = false;
  bool gave_ = false;
  /// Likewise: what a read behind bytes that were relayed has failed with.
  Answer read_failure_ = 0;
  /// Likewise: what of another session was taken, and what the write that failed answered.
  uint64_t relayed_ = 0;
  Answer relay_failure_ = 0;
  Held<DataFd> to_;
  std::atomic<bool> summed_{false};
  /// Its bytes come from another session, or go to one.
  std::atomic<bool> is_relay_{false};
  std::atomic<uint32_t> crc32_{0};
  /// In the data lane only, which publishes them.
  RunningSums sums_;
  std::atomic<uint64_t> first_sum_{0};
  std::atomic<uint64_t> second_sum_{0};
  DataFd* next_ = nullptr;
  DataFd** previous_ = nullptr;
};

}  // namespace vfio_migrate
