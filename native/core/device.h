// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <new>

#include "barrier.h"
#include "data_fd.h"
#include "lane.h"
#include "open.h"

namespace vfio_migrate {

constexpr uint32_t kAnyState = UINT32_MAX;

/// A list of states to SET, and where on the way to wait for other devices.
struct Path {
  std::unique_ptr<uint32_t[]> states;
  size_t count = 0;
  /// The state that GET has to answer before the first SET; kAnyState does not ask.
  uint32_t from = kAnyState;
  Gate gate;
};

/// What SetStates did.
struct Arcs {
  Answer result = 0;
  size_t done = 0;
  std::unique_ptr<double[]> times;
  size_t time_count = 0;
  /// When the gate was passed; 0 where there was none, or it was not.
  double passed = 0;
  uint64_t arc = 0;
  /// What GET answered where that was not the state that the path begins in: nothing was SET.
  Answer found = 0;
  bool moved = false;
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
  /// GET where the path names the state that it begins in, and nothing more where that is another.
  /// SET for each state in turn; stops at the first that fails, at a gate that is broken, or before
  /// the first when there is no room for the session that it might open. In the control lane.
  /// Blocks.
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
  bool IsMoved(const Path& path, Arcs* arcs);
  void SetStates(const Path& path, Owner<DataFd> prepared, Arcs* arcs);
  /// What this device's lane waits at breaks when the device ends; null for nothing any more.
  void WaitAt(Barrier* barrier);

  DeviceFds fds_;
  bool held_ = false;
  std::atomic<uint64_t> arc_{0};
  Mutex mutex_;
  bool ending_ = false;
  Barrier* barrier_ = nullptr;
  bool abandoned_ = false;
  DataFd* sessions_ = nullptr;
};

}  // namespace vfio_migrate
