// SPDX-License-Identifier: Apache-2.0
#include "barrier.h"

#include <new>

namespace vfio_migrate {

Held<Barrier> Barrier::Create(uint32_t parties) {
  return Held<Barrier>::Adopt(new (std::nothrow) Barrier(parties));
}

bool Barrier::Await() {
  Lock lock(mutex_);
  if (missing_ > 0 && --missing_ == 0) Decide(State::kOpen);
  while (state_ == State::kGathering) pthread_cond_wait(&decided_, mutex_.get());
  return state_ == State::kOpen;
}

void Barrier::Break() {
  Lock lock(mutex_);
  Decide(State::kBroken);
}

void Barrier::Decide(State state) {
  if (state_ != State::kGathering) return;
  state_ = state;
  pthread_cond_broadcast(&decided_);
}

}  // namespace vfio_migrate
