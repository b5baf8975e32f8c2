// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fake.h"

enum what { kFail, kAfter, kHold, kCut, kStatus };

int longest_hold_ms = kLongestHoldMs;

static struct rule {
  bool used, holding, released;
  char operation[40];
  int device, countdown;
  enum what what;
  long value;
} rules[128];

// For a test that watches a whole process: what its log says is gone with it.
static void say_expired(void) {
  static const char text[] = "a held call expired\n";
  syscall(SYS_write, STDERR_FILENO, text, sizeof text - 1);
}

// A held call waits until the test releases it, or for 5 s: the length of the calls that must hold
// up nothing else.
static void hold(struct rule* r, const char* operation, int device) {
  long end = now_ms() + longest_hold_ms;
  r->holding = true;
  note("held %s %d", operation, (long)device);
  while (!r->released && now_ms() < end) wait_for_change((int)(end - now_ms()));
  if (!r->released) {
    note("expired %s %d", operation, (long)device);
    say_expired();
  }
  r->used = false;
  changed();
}

struct verdict gate(const char* operation, int device) {
  struct verdict v = {0, 0, 0, 0};
  for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
    struct rule* r = &rules[i];
    if (!r->used || r->holding || !same(r->operation, operation)) continue;
    if (r->device != kNoDevice && r->device != device) continue;
    if (--r->countdown > 0) continue;
    if (r->what == kHold) {
      hold(r, operation, device);
      continue;
    }
    if (r->what == kFail) v.error = -r->value;
    if (r->what == kAfter) v.after = -r->value;
    if (r->what == kCut) v.cut = r->value;
    if (r->what == kStatus) v.status = r->value;
    r->used = false;
  }
  return v;
}

long add_rule(int device, const char* operation, int nth, const char* what, long value) {
  static const char* const names[] = {"fail", "after", "hold", "cut", "status"};
  for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
    struct rule* r = &rules[i];
    if (r->used) continue;
    zero(r, sizeof *r);
    for (size_t k = 0; operation[k] && k < sizeof r->operation - 1; k++)
      r->operation[k] = operation[k];
    for (int k = 0; k < 5; k++) {
      if (!same(names[k], what)) continue;
      r->what = (enum what)k;
      r->device = device;
      r->countdown = nth;
      r->value = value;
      r->used = true;
      return 0;
    }
    return -EINVAL;
  }
  return -ENOSPC;
}

long release(const char* operation) {
  long count = 0;
  for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
    if (rules[i].used && rules[i].what == kHold && same(rules[i].operation, operation))
      rules[i].released = true, count++;
  changed();
  return count > 0 ? 0 : -ENOENT;
}

// Calls that are being held go on; their rules free themselves.
void clear_rules(void) {
  for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
    if (rules[i].holding)
      rules[i].released = true;
    else
      rules[i].used = false;
  }
  changed();
}
