// SPDX-License-Identifier: Apache-2.0
#include "lane.h"

#include <csignal>
#include <new>
#include <utility>

namespace vfio_migrate {

Census census;

namespace {

/// Deep enough for the calls below it and for a sanitizer's bookkeeping; untouched pages cost
/// nothing.
constexpr size_t kStackBytes = size_t{256} << 10;

Answer StartWithAttributes(const pthread_attr_t& attributes, void* (*main)(void*), void* argument) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  // The mask is inherited: set here, so that there is no moment at which the new thread could take
  // a signal.
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_t thread;
  int error = pthread_create(&thread, &attributes, main, argument);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return -error;
}

}  // namespace

Answer StartThread(void* (*main)(void*), void* argument) {
  pthread_attr_t attributes;
  if (pthread_attr_init(&attributes) != 0) return -EAGAIN;
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attributes, kStackBytes);
  census.lanes++;
  Answer answer = StartWithAttributes(attributes, main, argument);
  if (answer < 0) census.lanes--;
  pthread_attr_destroy(&attributes);
  return answer;
}

bool Lane::Post(Job* job) {
  Lock lock(mutex_);
  if (stopped_) return false;
  queue_.Push(job);
  pthread_cond_signal(&changed_);
  return true;
}

void Lane::Stop() {
  Lock lock(mutex_);
  stopped_ = true;
  // Under the lock, because without it the thread could end and free this lane while jobs are being
  // answered. Deliver takes only the lock of a completion queue, which is never held while a lane
  // is entered.
  while (Job* job = queue_.Pop()) job->RefuseAndDeliver(-ECANCELED);
  pthread_cond_signal(&changed_);
}

Job* Lane::Next() {
  Lock lock(mutex_);
  while (queue_.empty() && !stopped_) pthread_cond_wait(&changed_, mutex_.get());
  return queue_.Pop();
}

size_t Lane::Waiting() {
  Lock lock(mutex_);
  return queue_.size();
}

namespace {

/// Whether it took no longer than waking somebody up may.
bool RunQuickly(Job* job) {
  constexpr double kQuickMs = 1;
  double begun = NowMs();
  job->Run();
  return NowMs() - begun < kQuickMs;
}

}  // namespace

void Lane::Serve() {
  while (Job* job = Next()) {
    bool was_quick = RunQuickly(job);
    if (!Hold(job, was_quick)) DeliverHeld();
  }
  DeliverHeld();
}

/// Takes a job that is done; false where all are to be delivered. To wake somebody up costs both
/// sides a part of a read. The first of a stream is not held up, nor is any for long: a few, of a
/// device that is quick. And the lane has work in hand while JavaScript wakes up: looked at now,
/// because while this one ran JavaScript may have posted more. No more than a few also because the
/// buffers of all that are held are out of use: the more go round, the colder is the next one.
bool Lane::Hold(Job* job, bool was_quick) {
  constexpr size_t kInHand = 1;
  constexpr size_t kMostHeld = 2;
  bool was_streaming = is_streaming_;
  is_streaming_ = job->MayBeHeld();
  if (is_streaming_) {
    held_.Push(job);
    return was_streaming && was_quick && held_.size() <= kMostHeld && Waiting() > kInHand;
  }
  DeliverHeld();
  job->Deliver();
  return false;
}

void Lane::DeliverHeld() {
  while (Job* job = held_.Pop()) {
    if (held_.empty()) {
      job->Deliver();
    } else {
      job->DeliverAhead();
    }
  }
}

Answer LaneOwner::Start(const char* name) {
  name_ = name;
  users_.store(1, std::memory_order_relaxed);
  Retain();
  Answer answer = StartThread(&LaneOwner::Main, this);
  if (answer < 0) {
    users_.store(0, std::memory_order_relaxed);
    Release();
  }
  return answer;
}

void* LaneOwner::Main(void* self) {
  auto* owner = static_cast<LaneOwner*>(self);
  pthread_setname_np(pthread_self(), owner->name_);
  owner->lane_.Serve();
  census.lanes--;
  owner->Leave();
  owner->Release();
  return nullptr;
}

namespace {

struct Beside {
  Held<LaneOwner> owner;
  Job* job;
};

}  // namespace

Answer LaneOwner::RunBeside(Job* job) {
  if (closing() || !Enter()) return -EBADF;
  auto* beside = new (std::nothrow) Beside{Held<LaneOwner>(this), job};
  Answer answer = beside ? StartThread(&LaneOwner::MainBeside, beside) : -ENOMEM;
  if (answer < 0) {
    delete beside;
    Leave();
  }
  return answer;
}

void* LaneOwner::MainBeside(void* argument) {
  auto* beside = static_cast<Beside*>(argument);
  beside->job->Run();
  census.lanes--;
  beside->owner->Leave();
  beside->job->Deliver();
  delete beside;
  return nullptr;
}

bool LaneOwner::Enter() {
  int users = users_.load(std::memory_order_relaxed);
  while (users > 0) {
    if (users_.compare_exchange_weak(users, users + 1, std::memory_order_acq_rel)) return true;
  }
  return false;
}

void LaneOwner::Leave() {
  if (users_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  CloseFds();
  JobList notices = [this] {
    Lock lock(mutex_);
    closed_ = true;
    return std::move(notices_);
  }();
  while (Job* notice = notices.Pop()) notice->Deliver();
}

void LaneOwner::Shutdown() {
  if (closing_.exchange(true, std::memory_order_acq_rel)) return;
  Wake();
  lane_.Stop();
}

void LaneOwner::DeliverWhenClosed(Job* notice) {
  {
    Lock lock(mutex_);
    if (!closed_) {
      notices_.Push(notice);
      return;
    }
  }
  notice->Deliver();
}

}  // namespace vfio_migrate
