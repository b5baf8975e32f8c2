// SPDX-License-Identifier: Apache-2.0
//
// Faults planted on purpose: before a sanitizer's silence is believed it has to report these, under
// the same Node, preloads and options.
#include <fcntl.h>
#include <limits.h>
#include <node_api.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/ioctl.h>

static volatile int sink;
static int shared;

static napi_value use_after_free(napi_env env, napi_callback_info info) {
  (void)env, (void)info;
  int* memory = malloc(sizeof *memory);
  *memory = 1;
  free(memory);
  sink = *(volatile int*)memory;
  return NULL;
}

static napi_value leak(napi_env env, napi_callback_info info) {
  (void)env, (void)info;
  for (int i = 0; i < 10; i++) sink = (int)(long)malloc(1000);
  return NULL;
}

static napi_value overflow(napi_env env, napi_callback_info info) {
  (void)env, (void)info;
  volatile int most = INT_MAX;
  sink = most + 1;
  return NULL;
}

static void* count(void* unused) {
  (void)unused;
  for (int i = 0; i < 1000; i++) shared++;
  return NULL;
}

static napi_value race(napi_env env, napi_callback_info info) {
  (void)env, (void)info;
  pthread_t threads[2];
  for (int i = 0; i < 2; i++) pthread_create(&threads[i], NULL, count, NULL);
  for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
  sink = shared;
  return NULL;
}

// Two threads that meet nowhere but in the fake kernel: it must not order them, or it would hide
// the addon's races.
static int handed_over, flag, devices[2];

static void* give(void* unused) {
  (void)unused;
  handed_over = 1;
  ioctl(devices[0], 0x3b6b, NULL);
  __atomic_store_n(&flag, 1, __ATOMIC_RELAXED);
  return NULL;
}

static void* take(void* unused) {
  (void)unused;
  do ioctl(devices[1], 0x3b6b, NULL);
  while (!__atomic_load_n(&flag, __ATOMIC_RELAXED));
  ioctl(devices[1], 0x3b6b, NULL);
  sink = handed_over;
  return NULL;
}

static napi_value race_across_calls(napi_env env, napi_callback_info info) {
  (void)env, (void)info;
  devices[0] = open("/dev/vfio/devices/vfio0", O_RDWR | O_CLOEXEC);
  devices[1] = open("/dev/vfio/devices/vfio1", O_RDWR | O_CLOEXEC);
  pthread_t threads[2];
  pthread_create(&threads[0], NULL, give, NULL);
  pthread_create(&threads[1], NULL, take, NULL);
  for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
  return NULL;
}

NAPI_MODULE_INIT() {
  static const struct {
    const char* name;
    napi_callback function;
  } faults[] = {
      {"useAfterFree", use_after_free},
      {"leak", leak},
      {"overflow", overflow},
      {"race", race},
      {"raceAcrossCalls", race_across_calls},
  };
  for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
    napi_value function;
    napi_create_function(env, faults[i].name, NAPI_AUTO_LENGTH, faults[i].function, NULL,
                         &function);
    napi_set_named_property(env, exports, faults[i].name, function);
  }
  return exports;
}
