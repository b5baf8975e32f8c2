// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "data_fd.h"
#include "far_end.h"
#include "pace.h"

namespace vfio_migrate {

/// Which call a pump ended at.
enum class PumpCall { kEventfd, kDup, kMmap, kRead, kWrite };

struct PumpLimits {
  uint64_t max_bytes = 0;
  /// 0 is no limit.
  double bytes_per_second = 0;
};

/// What a pump came to.
struct PumpResult {
  /// What that call answered: of a read 0, or -ENOMSG, where there is no more. Above 0 when
  /// `max_bytes` are through.
  Answer result = 0;
  PumpCall call = PumpCall::kRead;
  /// Taken by the fd that was written to.
  uint64_t bytes = 0;
  /// The device's arc number when it was last read.
  uint64_t arc = 0;
  /// What was read and not taken.
  Held<Buffer> buffer;
  size_t rest_at = 0;
  size_t rest_length = 0;
};

/// What others see of a pump, and how they end it.
class PumpControl final : public Shared {
 public:
  /// Any thread: what was read, and taken, so far.
  uint64_t bytes_read() const { return bytes_read_.load(std::memory_order_relaxed); }
  uint64_t bytes_written() const { return bytes_written_.load(std::memory_order_relaxed); }
  /// Any thread. Idempotent; without effect when it is over.
  void Cancel();

 private:
  friend class Pump;

  std::atomic<uint64_t> bytes_read_{0};
  std::atomic<uint64_t> bytes_written_{0};
  std::atomic<bool> cancelled_{false};
  Mutex mutex_;
  /// An eventfd that becomes readable, for good, when it is cancelled.
  Fd cancel_;
};

/// Copies between a session's data_fd and another fd, as one job of its data lane: through one
/// buffer, without JavaScript.
class Pump {
 public:
  /// `fd` is to be written (O_WRONLY) or read (O_RDONLY), by an fd of our own: it may be closed
  /// from now on. What goes wrong here is the answer of the run. Null when memory is short.
  static std::unique_ptr<Pump> Create(const Held<DataFd>& session, int fd, int access,
                                      const PumpLimits& limits);
  ~Pump();

  const Held<PumpControl>& control() const { return control_; }
  /// A copy of what Put is to write. False when memory is short.
  bool Hold(const uint8_t* data, size_t length);

  /// In a thread beside the data lane, once: what was read of the device before. Blocks until all
  /// of it is taken.
  PumpResult Put();
  /// In the data lane, once. Blocks until the device has nothing now, which is waited for only
  /// until its first bytes, and `wait_ms` at most.
  PumpResult Save(int wait_ms);
  /// In the data lane, once. Blocks until the fd has no more.
  PumpResult Load();

 private:
  Pump(const Held<DataFd>& session, Held<PumpControl> control, const PumpLimits& limits)
      : session_(session),
        control_(std::move(control)),
        left_(limits.max_bytes),
        pace_(limits.bytes_per_second) {}

  void Prepare(int fd, int access);
  bool Fail(PumpCall call, Answer answer);
  bool Begin();
  bool BeginPiece();
  bool CountRead(Answer answer);
  PumpResult End();
  Answer ReadFar();
  bool WriteFar(size_t length);
  Answer Wait(int fd, short events, double timeout_ms);

  Held<DataFd> session_;
  Held<PumpControl> control_;
  uint64_t left_;
  Pace pace_;
  FarEnd far_;
  size_t held_length_ = 0;
  size_t piece_ = 0;
  double begun_ms_ = 0;
  PumpResult result_;
};

}  // namespace vfio_migrate
