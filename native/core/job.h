// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <utility>

#include "call.h"

namespace vfio_migrate {

/// One request: Run in a thread of ours or Refuse in any thread, then Deliver, after which it is
/// somebody else's.
class Job {
 public:
  Job() = default;
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;
  virtual ~Job() = default;

  virtual void Run() = 0;
  virtual void Refuse(Answer answer) = 0;
  virtual void Deliver() = 0;
  /// When it was run: another like it, which is posted already, will be done soon. One wake-up does
  /// for both then.
  virtual bool MayBeHeld() const { return false; }

  void RefuseAndDeliver(Answer answer) {
    Refuse(answer);
    Deliver();
  }

 private:
  friend class JobList;
  Job* next_ = nullptr;
};

/// First in, first out, without memory of its own. Whoever shares one locks it.
class JobList {
 public:
  JobList() = default;
  JobList(JobList&& other) noexcept
      : first_(std::exchange(other.first_, nullptr)), last_(std::exchange(other.last_, nullptr)) {}
  JobList& operator=(JobList&&) = delete;

  bool empty() const { return first_ == nullptr; }

  void Push(Job* job) {
    (last_ ? last_->next_ : first_) = job;
    last_ = job;
  }

  Job* Pop() {
    Job* job = first_;
    if (!job) return nullptr;
    first_ = std::exchange(job->next_, nullptr);
    if (!first_) last_ = nullptr;
    return job;
  }

 private:
  Job* first_ = nullptr;
  Job* last_ = nullptr;
};

}  // namespace vfio_migrate
