// SPDX-License-Identifier: Apache-2.0
//
// Faults planted on purpose: before a sanitizer's silence is believed it has to report these, under
// the same Node, preloads and options, and compiled with the very flags of the addon.
#include <fcntl.h>
#include <node_api.h>
#include <pthread.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <climits>
#include <cstdlib>

namespace {

volatile int sink;
int shared;

napi_value UseAfterFree(napi_env, napi_callback_info) {
  int* memory = static_cast<int*>(malloc(sizeof(int)));
  *memory = 1;
  free(memory);
  sink = *const_cast<volatile int*>(memory);
  return nullptr;
}

napi_value Leak(napi_env, napi_callback_info) {
  for (int i = 0; i < 10; i++) sink = static_cast<int>(reinterpret_cast<long>(malloc(1000)));
  return nullptr;
}

napi_value Overflow(napi_env, napi_callback_info) {
  volatile int most = INT_MAX;
  sink = most + 1;
  return nullptr;
}

void* Count(void*) {
  for (int i = 0; i < 1000; i++) shared++;
  return nullptr;
}

void RunTogether(void* (*one)(void*), void* (*other)(void*)) {
  pthread_t threads[2];
  pthread_create(&threads[0], nullptr, one, nullptr);
  pthread_create(&threads[1], nullptr, other, nullptr);
  for (pthread_t thread : threads) pthread_join(thread, nullptr);
}

napi_value Race(napi_env, napi_callback_info) {
  RunTogether(Count, Count);
  sink = shared;
  return nullptr;
}

// Two threads that meet nowhere but in the fake kernel: it must not order them, or it would hide
// the addon's races.
int handed_over, flag, devices[2];

void* Give(void*) {
  handed_over = 1;
  ioctl(devices[0], 0x3b6b, nullptr);
  __atomic_store_n(&flag, 1, __ATOMIC_RELAXED);
  return nullptr;
}

void* Take(void*) {
  do ioctl(devices[1], 0x3b6b, nullptr);
  while (!__atomic_load_n(&flag, __ATOMIC_RELAXED));
  ioctl(devices[1], 0x3b6b, nullptr);
  sink = handed_over;
  return nullptr;
}

napi_value RaceAcrossCalls(napi_env, napi_callback_info) {
  devices[0] = open("/dev/vfio/devices/vfio0", O_RDWR | O_CLOEXEC);
  devices[1] = open("/dev/vfio/devices/vfio1", O_RDWR | O_CLOEXEC);
  RunTogether(Give, Take);
  return nullptr;
}

// A second close of a number that is Node's by now. Node uses it between the two calls, and nothing
// orders that before the close.
enum { kWaiting, kTold, kClosed };
int stage = kWaiting;

void* CloseWhenTold(void* fd) {
  while (__atomic_load_n(&stage, __ATOMIC_RELAXED) == kWaiting) sched_yield();
  close(static_cast<int>(reinterpret_cast<long>(fd)));
  __atomic_store_n(&stage, kClosed, __ATOMIC_RELAXED);
  return nullptr;
}

napi_value BeginClose(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value argument;
  napi_get_cb_info(env, info, &count, &argument, nullptr, nullptr);
  int32_t fd = -1;
  napi_get_value_int32(env, argument, &fd);
  pthread_t thread;
  pthread_create(&thread, nullptr, CloseWhenTold, reinterpret_cast<void*>(static_cast<long>(fd)));
  pthread_detach(thread);
  return nullptr;
}

napi_value EndClose(napi_env, napi_callback_info) {
  __atomic_store_n(&stage, kTold, __ATOMIC_RELAXED);
  while (__atomic_load_n(&stage, __ATOMIC_RELAXED) != kClosed) sched_yield();
  return nullptr;
}

constexpr struct {
  const char* name;
  napi_callback function;
} kFaults[] = {
    {"useAfterFree", UseAfterFree},
    {"leak", Leak},
    {"overflow", Overflow},
    {"race", Race},
    {"raceAcrossCalls", RaceAcrossCalls},
    {"beginClose", BeginClose},
    {"endClose", EndClose},
};

}  // namespace

NAPI_MODULE_INIT() {
  for (const auto& fault : kFaults) {
    napi_value function;
    napi_create_function(env, fault.name, NAPI_AUTO_LENGTH, fault.function, nullptr, &function);
    napi_set_named_property(env, exports, fault.name, function);
  }
  return exports;
}
