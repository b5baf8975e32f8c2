// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <pthread.h>

#include <cstddef>
#include <cstdint>
#include <utility>

#include "shared.h"

namespace vfio_migrate {

/// Where the lanes of several devices wait for each other. It is decided once: all have come and
/// all go on, or it is broken and nobody does.
class Barrier final : public Shared {
 public:
  /// Null when memory is short.
  static Held<Barrier> Create(uint32_t parties);

  /// True when all have come. Blocks until then, or until it is broken.
  bool Await();
  /// Whoever waits, or comes later, goes no further. Without effect once all have come.
  void Break();

 private:
  enum class State { kGathering, kOpen, kBroken };

  explicit Barrier(uint32_t parties) : missing_(parties) {}
  ~Barrier() override { pthread_cond_destroy(&decided_); }
  void Decide(State state);

  Mutex mutex_;
  pthread_cond_t decided_ = PTHREAD_COND_INITIALIZER;
  State state_ = State::kGathering;
  uint32_t missing_;
};

/// One party's place at a barrier. Whoever lets it go without having come breaks the barrier:
/// nobody waits for one who will not come.
class Gate {
 public:
  Gate() = default;
  Gate(Held<Barrier> barrier, size_t before) : barrier_(std::move(barrier)), before_(before) {}
  Gate(Gate&&) noexcept = default;
  Gate& operator=(Gate&& other) noexcept {
    std::swap(barrier_, other.barrier_);
    std::swap(before_, other.before_);
    return *this;
  }
  ~Gate() {
    if (barrier_) barrier_->Break();
  }

  /// The barrier; null where there is nobody to wait for.
  Barrier* get() const { return barrier_.get(); }
  /// Whether it stands before the SET of this index.
  bool IsBefore(size_t index) const { return barrier_ && index == before_; }

 private:
  Held<Barrier> barrier_;
  size_t before_ = 0;
};

}  // namespace vfio_migrate
