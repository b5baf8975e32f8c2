// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
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
  /// When it was run: others like it, which are posted already, will be done soon. One wake-up does
  /// for all of them then.
  virtual bool MayBeHeld() const { return false; }
  /// As Deliver, right before that of another like it, which wakes whoever waits.
  virtual void DeliverAhead() { Deliver(); }

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
      : first_(std::exchange(other.first_, nullptr)),
        last_(std::exchange(other.last_, nullptr)),
        size_(std::exchange(other.size_, 0)) {}
  JobList& operator=(JobList&&) = delete;

  bool empty() const { return first_ == nullptr; }
  size_t size() const { return size_; }

  void Push(Job* job) {
    (last_ ? last_->next_ : first_) = job;
    last_ = job;
    size_++;
  }

  Job* Pop() {
    Job* job = first_;
    if (!job) return nullptr;
    first_ = std::exchange(job->next_, nullptr);
    if (!first_) last_ = nullptr;
    size_--;
    return job;
  }

 private:
  Job* first_ = nullptr;
  Job* last_ = nullptr;
  size_t size_ = 0;
};

}  // namespace vfio_migrate
