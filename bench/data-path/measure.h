// SPDX-License-Identifier: Apache-2.0
//
// What every yardstick does beside its loop: times it, says what came of it, and sums what arrived
// where it is asked to, in a run of which the time says nothing.
#ifndef MEASURE_H
#define MEASURE_H

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { kPieceBytes = 1 << 20 };

static inline _Noreturn void fail(const char* what) {
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  exit(1);
}

static inline double now(void) {
  struct timespec time;

  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec / 1e9;
}

static inline double cpu_seconds(void) {
  struct rusage usage;

  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_utime.tv_sec + usage.ru_stime.tv_sec +
         (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

// As zlib's crc32() sums, half a byte at a time.
static inline uint32_t crc32(uint32_t sum, const unsigned char* bytes, size_t count) {
  static const uint32_t table[16] = {
      0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
      0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
      0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
  };

  sum = ~sum;
  for (; count > 0; count--, bytes++) {
    sum = table[(sum ^ *bytes) & 15] ^ sum >> 4;
    sum = table[(sum ^ *bytes >> 4) & 15] ^ sum >> 4;
  }
  return ~sum;
}

// Its pages are there before anything is timed.
static inline unsigned char* allocate(size_t bytes) {
  unsigned char* memory = aligned_alloc(4096, bytes);

  if (!memory) fail("aligned_alloc");
  memset(memory, 1, bytes);
  return memory;
}

static double begun, cpu_begun;

static inline void begin(void) {
  cpu_begun = cpu_seconds();
  begun = now();
}

// The line by which a program answers, of all that was done since begin().
static inline __attribute__((unused)) void tell(uint64_t bytes, uint32_t sum) {
  double seconds = now() - begun, cpu = cpu_seconds() - cpu_begun;

  printf("{\"seconds\":%.9f,\"cpuSeconds\":%.6f,\"bytes\":%llu,\"crc32\":%u}\n", seconds, cpu,
         (unsigned long long)bytes, sum);
}

#endif
