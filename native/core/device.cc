// SPDX-License-Identifier: Apache-2.0
#include "device.h"

#include <new>

#include "feature.h"
#include "uapi.h"

namespace vfio_migrate {

void Device::Hold(DeviceFds fds) {
  fds_ = std::move(fds);
  held_ = true;
  census.devices++;
}

Arcs Device::SetStates(const Path& path) {
  Arcs arcs;
  arcs.times.reset(new (std::nothrow) double[path.count + 1]);
  if (!arcs.times) {
    arcs.result = -ENOMEM;
    return arcs;
  }
  arcs.times[arcs.time_count++] = NowMs();
  while (arcs.result >= 0 && arcs.done < path.count) {
    int data_fd = -1;
    arcs.result = feature::SetState(fd(), path.states[arcs.done], &data_fd);
    arcs.times[arcs.time_count++] = NowMs();
    if (arcs.result < 0) break;
    arcs.result = 0;
    // Only now: a read that was issued before the answer must not be taken for one that came after
    // it.
    arc_.fetch_add(1, std::memory_order_release);
    arcs.done++;
    if (data_fd >= 0) arcs.result = OpenSession(data_fd, &arcs.session);
  }
  arcs.arc = arc();
  return arcs;
}

/// The state has changed whatever happens here. A session that came before was ended by the path
/// itself.
Answer Device::OpenSession(int data_fd, Owner<DataFd>* session) {
  *session = Owner<DataFd>();
  return DataFd::Open(Held<Device>(this), Fd(data_fd), session);
}

Answer Device::Reset() { return Ioctl(fd(), uapi::kDeviceReset, nullptr); }

bool Device::Attach(DataFd* session) {
  Lock lock(sessions_mutex_);
  if (ending_) return false;
  session->next_ = sessions_;
  session->previous_ = &sessions_;
  if (sessions_) sessions_->previous_ = &session->next_;
  sessions_ = session;
  return true;
}

void Device::Detach(DataFd* session) {
  bool last = false;
  {
    Lock lock(sessions_mutex_);
    // Never attached. Asked here, because a neighbour that leaves writes to it.
    if (!session->previous_) return;
    *session->previous_ = session->next_;
    if (session->next_) session->next_->previous_ = session->previous_;
    last = abandoned_ && !sessions_;
  }
  if (last) Shutdown();
}

void Device::Abandon() {
  bool unused = false;
  {
    Lock lock(sessions_mutex_);
    abandoned_ = true;
    unused = !sessions_;
  }
  if (unused) Shutdown();
}

void Device::Wake() {
  Lock lock(sessions_mutex_);
  ending_ = true;
  // A session leaves the list in its own lane and waits for this lock there, so none goes away
  // under us.
  for (DataFd* session = sessions_; session; session = session->next_) session->Shutdown();
}

void Device::CloseFds() {
  fds_.Close();
  if (held_) census.devices--;
}

}  // namespace vfio_migrate
