// SPDX-License-Identifier: Apache-2.0
#include "device.h"

#include <new>

#include "feature.h"
#include "uapi.h"

namespace vfio_migrate {

namespace {

/// The states in which there is a session; along the saving group it stays the same one.
enum class Group { kNone, kSaving, kResuming };

Group GroupOf(uint32_t state) {
  switch (state) {
    case uapi::kStateStopCopy:
    case uapi::kStatePreCopy:
    case uapi::kStatePreCopyP2p:
      return Group::kSaving;
    case uapi::kStateResuming:
      return Group::kResuming;
    default:
      return Group::kNone;
  }
}

/// Whether one of the arcs may open a session: it may where nobody says what it begins in.
bool MayOpenSession(const Path& path) {
  Group group = path.from == kAnyState ? Group::kNone : GroupOf(path.from);
  for (size_t i = 0; i < path.count; i++) {
    Group next = GroupOf(path.states[i]);
    if (next != Group::kNone && next != group) return true;
    group = next;
  }
  return false;
}

}  // namespace

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
  Owner<DataFd> prepared;
  if (MayOpenSession(path)) arcs.result = DataFd::Prepare(Held<Device>(this), &prepared);
  WaitAt(path.gate.get());
  if (!IsMoved(path, &arcs)) SetStates(path, std::move(prepared), &arcs);
  WaitAt(nullptr);
  arcs.arc = arc();
  return arcs;
}

void Device::SetStates(const Path& path, Owner<DataFd> prepared, Arcs* arcs) {
  double* times = arcs->times.get();
  times[arcs->time_count++] = NowMs();
  while (arcs->result >= 0 && arcs->done < path.count) {
    if (path.gate.IsBefore(arcs->done)) {
      if (!path.gate.get()->Await()) return;
      arcs->passed = NowMs();
      if (arcs->done == 0) times[0] = arcs->passed;
    }
    int data_fd = -1;
    arcs->result = feature::SetState(fd(), path.states[arcs->done], &data_fd);
    times[arcs->time_count++] = NowMs();
    if (arcs->result < 0) return;
    arcs->result = 0;
    // Only now: a read that was issued before the answer must not be taken for one that came after
    // it.
    arc_.fetch_add(1, std::memory_order_release);
    arcs->done++;
    if (data_fd >= 0) arcs->result = OpenSession(Fd(data_fd), &prepared, &arcs->session);
  }
}

bool Device::IsMoved(const Path& path, Arcs* arcs) {
  if (path.from == kAnyState) return false;
  arcs->found = feature::GetState(fd());
  arcs->moved = arcs->found != static_cast<Answer>(path.from);
  if (arcs->moved) arcs->times[arcs->time_count++] = NowMs();
  return arcs->moved;
}

void Device::WaitAt(Barrier* barrier) {
  Lock lock(mutex_);
  barrier_ = barrier;
  if (ending_ && barrier_) barrier_->Break();
}

/// A session that came before was ended by the path itself. One that nobody foresaw, behind a reset
/// that came between two arcs, may still fail for want of a thread.
Answer Device::OpenSession(Fd data_fd, Owner<DataFd>* prepared, Owner<DataFd>* session) {
  *session = Owner<DataFd>();
  Answer answer = *prepared ? 0 : DataFd::Prepare(Held<Device>(this), prepared);
  if (answer == 0) answer = (*prepared)->Open(std::move(data_fd));
  if (answer == 0) std::swap(*session, *prepared);
  return answer;
}

Answer Device::Reset() { return Ioctl(fd(), uapi::kDeviceReset, nullptr); }

bool Device::Attach(DataFd* session) {
  Lock lock(mutex_);
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
    Lock lock(mutex_);
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
    Lock lock(mutex_);
    abandoned_ = true;
    unused = !sessions_;
  }
  if (unused) Shutdown();
}

void Device::Wake() {
  Lock lock(mutex_);
  ending_ = true;
  if (barrier_) barrier_->Break();
  // A session leaves the list in its own lane and waits for this lock there, so none goes away
  // under us.
  for (DataFd* session = sessions_; session; session = session->next_) session->Shutdown();
}

void Device::CloseFds() {
  fds_.Close();
  if (held_) census.devices--;
}

}  // namespace vfio_migrate
