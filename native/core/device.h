// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <new>

#include "data_fd.h"
#include "lane.h"
#include "open.h"

namespace vfio_migrate {

/// A list of states to SET, with room for a stamp before and after each.
struct Path {
  std::unique_ptr<uint32_t[]> states;
  size_t count = 0;
};

/// What SetStates did.
struct Arcs {
  Answer result = 0;
  size_t done = 0;
  std::unique_ptr<double[]> times;
  size_t time_count = 0;
  uint64_t arc = 0;
  Owner<DataFd> session;
};

/// One device fd, its control lane, and what keeps the device usable.
class Device final : public LaneOwner {
 public:
  /// Null when memory is short.
  static Held<Device> Create() { return Held<Device>::Adopt(new (std::nothrow) Device()); }

  /// Once, before any call on the device. Taken from `fds`.
  void Hold(DeviceFds fds);
  const DeviceFds& fds() const { return fds_; }
  int fd() const { return fds_.device.get(); }

  /// How many SETs succeeded so far, on whatever path.
  uint64_t arc() const { return arc_.load(std::memory_order_acquire); }
  /// SET for each state in turn; stops at the first that fails, or before it when there is no room
  /// for the session that it might open. In the control lane. Blocks.
  Arcs SetStates(const Path& path);

  /// VFIO_DEVICE_RESET, in a thread beside the control lane. Blocks.
  Answer Reset();

  /// Shuts it down when its last session has ended: nobody but they can use it any more.
  void Abandon();

  /// Sessions of a device end with it. False when it is ending already.
  bool Attach(DataFd* session);
  void Detach(DataFd* session);

 private:
  Device() = default;
  void Wake() override;
  void CloseFds() override;
  Answer OpenSession(Fd data_fd, Owner<DataFd>* prepared, Owner<DataFd>* session);

  DeviceFds fds_;
  bool held_ = false;
  std::atomic<uint64_t> arc_{0};
  Mutex sessions_mutex_;
  bool ending_ = false;
  bool abandoned_ = false;
  DataFd* sessions_ = nullptr;
};

}  // namespace vfio_migrate
