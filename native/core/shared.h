// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <pthread.h>

#include <atomic>
#include <cstddef>
#include <utility>

namespace vfio_migrate {

/// Memory that several threads hold. std::make_shared would abort when memory is short; new
/// (std::nothrow) does not.
class Shared {
 public:
  Shared() = default;
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;

  void Retain() { holders_.fetch_add(1, std::memory_order_relaxed); }
  void Release() {
    if (holders_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

 protected:
  virtual ~Shared() = default;

 private:
  std::atomic<int> holders_{1};
};

template <typename T>
class Held {
 public:
  Held() = default;
  explicit Held(T* held) : held_(held) {
    if (held_) held_->Retain();
  }
  /// Takes over the hold that `new` gave.
  static Held Adopt(T* fresh) {
    Held held;
    held.held_ = fresh;
    return held;
  }
  Held(const Held& other) : Held(other.held_) {}
  Held(Held&& other) noexcept : held_(std::exchange(other.held_, nullptr)) {}
  Held& operator=(Held other) noexcept {
    std::swap(held_, other.held_);
    return *this;
  }
  ~Held() {
    if (held_) held_->Release();
  }

  T* get() const { return held_; }
  T* operator->() const { return held_; }
  T& operator*() const { return *held_; }
  explicit operator bool() const { return held_ != nullptr; }

 private:
  T* held_ = nullptr;
};

/// The one hold whose end shuts the thing down.
template <typename T>
class Owner {
 public:
  Owner() = default;
  explicit Owner(Held<T> owned) : owned_(std::move(owned)) {}
  Owner(Owner&&) noexcept = default;
  Owner& operator=(Owner&& other) noexcept {
    std::swap(owned_, other.owned_);
    return *this;
  }
  ~Owner() {
    if (owned_) owned_->Shutdown();
  }

  const Held<T>& held() const { return owned_; }
  /// For somebody else to end.
  Held<T> Release() { return std::move(owned_); }
  T* operator->() const { return owned_.get(); }
  explicit operator bool() const { return static_cast<bool>(owned_); }

 private:
  Held<T> owned_;
};

/// pthread's own: std::condition_variable asks for a newer libstdc++ than Node does.
class Mutex {
 public:
  Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;
  ~Mutex() { pthread_mutex_destroy(&mutex_); }
  pthread_mutex_t* get() { return &mutex_; }

 private:
  pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
};

class Lock {
 public:
  explicit Lock(Mutex& mutex) : Lock(mutex.get()) {}
  explicit Lock(pthread_mutex_t* mutex) : mutex_(mutex) { pthread_mutex_lock(mutex_); }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;
  ~Lock() { pthread_mutex_unlock(mutex_); }

 private:
  pthread_mutex_t* mutex_;
};

}  // namespace vfio_migrate
