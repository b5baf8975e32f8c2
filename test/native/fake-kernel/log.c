// SPDX-License-Identifier: Apache-2.0
#include <linux/futex.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "fake.h"

enum { kFree, kHeld, kAwaited };  // the lock: nobody enters the kernel for it in vain

static int lock_word, change_count, change_waiters;
static char text_[1 << 18];
static size_t size_;

bool log_is_kept = true;

static void futex_wait(int* word, int value, int milliseconds) {
  struct timespec t = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
  syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, milliseconds < 0 ? NULL : &t, NULL, 0);
}

static void futex_wake(int* word, int count) {
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
}

void lock(void) {
  int word = kFree;
  if (__atomic_compare_exchange_n(&lock_word, &word, kHeld, false, __ATOMIC_ACQUIRE,
                                  __ATOMIC_RELAXED))
    return;
  while (__atomic_exchange_n(&lock_word, kAwaited, __ATOMIC_ACQUIRE) != kFree)
    futex_wait(&lock_word, kAwaited, -1);
}

void unlock(void) {
  if (__atomic_exchange_n(&lock_word, kFree, __ATOMIC_RELEASE) == kAwaited)
    futex_wake(&lock_word, 1);
}

void wait_for_change(int milliseconds) {
  int seen = __atomic_load_n(&change_count, __ATOMIC_ACQUIRE);
  // Not ++ and --: syscall() is a leaf function, so that gcc takes both for nothing.
  __atomic_add_fetch(&change_waiters, 1, __ATOMIC_RELAXED);
  unlock();
  futex_wait(&change_count, seen, milliseconds);
  lock();
  __atomic_sub_fetch(&change_waiters, 1, __ATOMIC_RELAXED);
}

void changed(void) {
  __atomic_add_fetch(&change_count, 1, __ATOMIC_RELEASE);
  if (__atomic_load_n(&change_waiters, __ATOMIC_RELAXED) > 0) futex_wake(&change_count, 1 << 30);
}

long now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

bool same(const char* a, const char* b) {
  while (*a && *a == *b) a++, b++;
  return *a == *b;
}

bool starts(const char* text, const char* prefix) {
  while (*prefix && *text == *prefix) text++, prefix++;
  return *prefix == 0;
}

void copy(void* to, const void* from, size_t bytes) {
  for (size_t i = 0; i < bytes; i++) ((char*)to)[i] = ((const char*)from)[i];
}

void zero(void* to, size_t bytes) {
  for (size_t i = 0; i < bytes; i++) ((char*)to)[i] = 0;
}

static void put(char c) {
  if (size_ < sizeof text_) text_[size_++] = c;
}

static void put_number(uint64_t value, unsigned base) {
  char digits[24];
  int n = 0;
  do digits[n++] = "0123456789abcdef"[value % base];
  while ((value /= base) != 0);
  while (n > 0) put(digits[--n]);
}

static void put_signed(long value) {
  if (value < 0) put('-');
  put_number(value < 0 ? 0 - (uint64_t)value : (uint64_t)value, 10);
}

static void put_line(const char* format, va_list args) {
  for (; *format; format++) {
    if (*format != '%') {
      put(*format);
      continue;
    }
    switch (*++format) {
      case 's':
        for (const char* s = va_arg(args, const char*); *s; s++) put(*s);
        break;
      case 'd':
        put_signed(va_arg(args, long));
        break;
      case 'x':
        put_number(va_arg(args, uint64_t), 16);
        break;
    }
  }
  put('\n');
  changed();
}

void note(const char* format, ...) {
  if (!log_is_kept) return;
  va_list args;
  va_start(args, format);
  put_line(format, args);
  va_end(args);
}

void mismatch(const char* format, ...) {
  for (const char* s = "MISMATCH "; *s; s++) put(*s);
  va_list args;
  va_start(args, format);
  put_line(format, args);
  va_end(args);
}

int lines_starting_with(const char* text) {
  int count = 0;
  for (size_t i = 0; i < size_; i++) {
    if (i > 0 && text_[i - 1] != '\n') continue;
    size_t k = 0;
    while (text[k] && i + k < size_ && text_[i + k] == text[k]) k++;
    if (text[k] == 0) count++;
  }
  return count;
}

size_t log_size(void) { return size_; }
const char* log_text(void) { return text_; }
void clear_log(void) { size_ = 0; }
