// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <pthread.h>

#include <atomic>

#include "job.h"
#include "shared.h"

namespace vfio_migrate {

/// Live threads, sessions, devices and fds of far ends of this process, and mappings for data, kept
/// ones too: for leak tests.
struct Census {
  std::atomic<int> lanes{0};
  std::atomic<int> sessions{0};
  std::atomic<int> devices{0};
  std::atomic<int> buffers{0};
  std::atomic<int> far_ends{0};
};
extern Census census;

/// Starts a detached thread with a small stack and every signal blocked: a signal in the middle of
/// SET leaves a path half done, and on xe it loses bytes of a read. 0 or -errno.
Answer StartThread(void* (*main)(void*), void* argument);

/// A queue of jobs for one thread.
class Lane {
 public:
  Lane() = default;
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;
  ~Lane() { pthread_cond_destroy(&changed_); }

  /// False after Stop: the job is still the caller's.
  bool Post(Job* job);
  /// What is queued is answered -ECANCELED here and now; what runs comes to its own end.
  void Stop();
  /// The thread's body: returns when stopped. Blocks.
  void Serve();
  /// In the thread, by a job that is going to wait: what is done already is answered before.
  void DeliverHeld();

 private:
  Job* Next();
  size_t Waiting();
  bool Hold(Job* job, bool was_quick);

  Mutex mutex_;
  pthread_cond_t changed_ = PTHREAD_COND_INITIALIZER;
  JobList queue_;
  bool stopped_ = false;
  /// The thread's own: jobs that are done and wait for the next one, and whether the last one was
  /// of that kind.
  JobList held_;
  bool is_streaming_ = false;
};

/// Something with fds and a lane, counted twice: holders keep the memory, users keep the fds open.
/// The lane's thread is the first user, and the last one to leave closes. So no thread that may not
/// block ever closes, and a lane that is abandoned in a hanging call still finds everything in
/// place when it returns.
class LaneOwner : public Shared {
 public:
  /// Starts the lane's thread. On failure nothing is running and nothing needs a shutdown.
  Answer Start(const char* name);
  bool Post(Job* job) { return lane_.Post(job); }
  /// In the lane, before waiting.
  void DeliverHeld() { lane_.DeliverHeld(); }

  /// In a thread of its own, beside the lane. On failure the job is still the caller's.
  Answer RunBeside(Job* job);

  /// Another thread that will use the fds; false when it is too late.
  bool Enter();
  void Leave();

  /// Ends the lane after the call that it is in. Idempotent, blocks on nothing.
  void Shutdown();
  bool closing() const { return closing_.load(std::memory_order_acquire); }
  /// `notice` is delivered when the fds are closed: at once if they are.
  void DeliverWhenClosed(Job* notice);

 protected:
  ~LaneOwner() override = default;
  /// Runs once, in the first Shutdown, before the lane is told.
  virtual void Wake() = 0;
  /// Runs once, in the last user's thread.
  virtual void CloseFds() = 0;

 private:
  static void* Main(void* self);
  static void* MainBeside(void* beside);

  Lane lane_;
  const char* name_ = "";
  std::atomic<int> users_{0};
  std::atomic<bool> closing_{false};
  Mutex mutex_;
  bool closed_ = false;
  JobList notices_;
};

}  // namespace vfio_migrate
