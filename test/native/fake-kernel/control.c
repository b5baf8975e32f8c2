// SPDX-License-Identifier: Apache-2.0
//
// What a test writes to /dev/vfio-fake/control, one command a write; a question's answer is read
// from the same fd.
//
//   reset                     everything as at the start; EBUSY while an fd of ours is open
//   forget                    files that are open are ours no longer
//   obey                      no rule any more: what is held goes on, every SAVE ends
//   set DEVICE KEY VALUE      a property of a device, or of the machine with '*'
//   rule DEVICE|* OPERATION NTH WHAT VALUE
//                             fail (errno), after (errno once the state moved), hold, cut (bytes),
//                             status (of a command of the firmware)
//   file DEVICE PATH          its sessions are this file, opened anew for each
//   detach DEVICE 1|0         its physical function takes it away, or gives it back
//   release OPERATION         held calls go on
//   complete DEVICE           the SAVE that is running ends
//   dirty DEVICE IOVA         a page for the next LOG_REPORT
//   region DEVICE INDEX CAP_OFFSET HEX
//                             the capability chain of a region
//   await COUNT TEXT          waits, 20 s at most, for so many lines of the log that start so
//   log | files | taken DEVICE
//                             answers to be read
#include <errno.h>

#include "fake.h"

enum { kWords = 8, kAwaitMs = 20000 };

static long number(const char* text) {
  long value = 0;
  int base = 10;
  if (starts(text, "0x")) base = 16, text += 2;
  for (; *text; text++) {
    char c = *text;
    int digit = c >= 'a' ? c - 'a' + 10 : c - '0';
    value = value * base + digit;
  }
  return value;
}

static int device_of(const char* word) {
  long index = word[0] >= '0' && word[0] <= '9' ? number(word) : kDevices;
  return index < kDevices ? (int)index : kNoDevice;
}

static void reply_with(struct file* f, const char* text, size_t bytes) {
  f->reply_size = bytes < sizeof f->reply ? bytes : sizeof f->reply;
  f->reply_position = 0;
  copy(f->reply, text, f->reply_size);
}

static void reply_number(struct file* f, uint64_t value) {
  char digits[24];
  int n = 24;
  do digits[--n] = (char)('0' + value % 10);
  while ((value /= 10) != 0);
  for (; n < 24; n++) f->reply[f->reply_size++] = digits[n];
  f->reply[f->reply_size++] = ' ';
}

static long reset_all(void) {
  clear_rules();
  if (open_files(NULL) > 0) return -EBUSY;
  for (int i = 0; i < kDevices; i++) power_on(i);
  kernel_version = 702;
  group_viable = true;
  longest_hold_ms = kLongestHoldMs;
  log_is_kept = true;
  clear_log();
  return 0;
}

// A call that a test has left behind may wait for one; the close of its file would wait with it.
static void end_saves(void) {
  for (int i = 0; i < kDevices; i++) {
    devices[i].auto_save = true;
    complete_save(&devices[i]);
  }
}

static long set_machine(const char* key, long value) {
  if (same(key, "kernel"))
    kernel_version = (int)value;
  else if (same(key, "viable"))
    group_viable = value != 0;
  else if (same(key, "hold"))
    longest_hold_ms = (int)value;
  else if (same(key, "log"))
    log_is_kept = value != 0;
  else
    return -EINVAL;
  return 0;
}

static long set_device(struct device* d, const char* key, long value) {
  if (same(key, "flags"))
    d->flags = (int)value;
  else if (same(key, "state"))
    d->state = (int)value;
  else if (same(key, "mtty"))
    d->manner = value ? kMtty : kMlx5;
  else if (same(key, "autosave"))
    d->auto_save = value != 0;
  else if (same(key, "chunks"))
    d->chunks = value != 0;
  else if (same(key, "logging"))
    d->has_logging = value != 0;
  else if (same(key, "model"))
    d->model = value != 0;
  else if (same(key, "reinit"))
    d->reinit = value != 0;
  else if (same(key, "dirtypages"))
    d->dirty = (d->dirty > 0 ? d->dirty : kImageHeader) + (uint64_t)value * kPage;
  else if (same(key, "image"))
    d->image = (uint64_t)value;
  else if (same(key, "dirty"))
    d->dirty = (uint64_t)value;
  else if (same(key, "datasize"))
    d->data_size = (uint64_t)value;
  else
    return -EINVAL;
  return 0;
}

static long set_region(struct device* d, int index, const char* cap_offset, const char* hex) {
  if (index < 0 || index >= kRegions) return -EINVAL;
  uint32_t n = 0;
  for (; hex[0] && hex[1] && n < sizeof d->region[index].caps; hex += 2) {
    char pair[5] = {'0', 'x', hex[0], hex[1], 0};
    d->region[index].caps[n++] = (unsigned char)number(pair);
  }
  d->region[index].cap_bytes = n;
  d->region[index].cap_offset = (uint32_t)number(cap_offset);
  return 0;
}

static long set_file(struct device* d, const char* path) {
  size_t n = 0;
  while (path[n]) n++;
  if (n >= sizeof d->file) return -ENAMETOOLONG;
  copy(d->file, path, n + 1);
  return 0;
}

static long await(int count, const char* text) {
  long end = now_ms() + kAwaitMs;
  while (lines_starting_with(text) < count) {
    if (now_ms() >= end) return -ETIMEDOUT;
    wait_for_change((int)(end - now_ms()));
  }
  return 0;
}

static long answer_taken(struct file* f, const struct device* d) {
  if (d->session == NULL) return -ENODEV;
  f->reply_size = f->reply_position = 0;
  reply_number(f, d->session->taken);
  reply_number(f, d->session->hash);
  return 0;
}

// Cuts `line` at its first `most` spaces; the last word keeps the rest.
static int split(char* line, char* words[kWords], int most) {
  int n = 0;
  for (words[n++] = line; *line && n < most; line++)
    if (*line == ' ') *line = 0, words[n++] = line + 1;
  return n;
}

static long of_device(struct file* f, struct device* d, char* words[kWords], int n) {
  if (n >= 4 && same(words[0], "set")) return set_device(d, words[2], number(words[3]));
  if (n >= 5 && same(words[0], "region"))
    return set_region(d, (int)number(words[2]), words[3], words[4]);
  if (n >= 3 && same(words[0], "dirty") && d->dirty_pages < 128) {
    d->dirty_iova[d->dirty_pages++] = (uint64_t)number(words[2]);
    return 0;
  }
  if (n >= 3 && same(words[0], "detach")) {
    if (number(words[2]) != 0)
      detach(d);
    else
      d->detached = false;
    return 0;
  }
  if (n >= 3 && same(words[0], "file")) return set_file(d, words[2]);
  if (same(words[0], "complete")) {
    complete_save(d);
    return 0;
  }
  return same(words[0], "taken") ? answer_taken(f, d) : -EINVAL;
}

long control(struct file* f, const char* text, size_t bytes) {
  static __thread char line[4096];
  char* words[kWords] = {0};
  if (bytes >= sizeof line) return -EINVAL;
  copy(line, text, bytes);
  line[bytes] = 0;
  int n = split(line, words, starts(line, "await") ? 3 : kWords);
  long result = -EINVAL;
  if (same(words[0], "reset")) {
    result = reset_all();
  } else if (same(words[0], "forget")) {
    clear_rules();
    end_saves();
    forget_files();
    result = 0;
  } else if (same(words[0], "obey")) {
    clear_rules();
    end_saves();
    result = 0;
  } else if (same(words[0], "log")) {
    reply_with(f, log_text(), log_size());
    result = 0;
  } else if (same(words[0], "files")) {
    reply_with(f, "", 0);
    open_files(f);
    result = 0;
  } else if (n >= 3 && same(words[0], "await")) {
    result = await((int)number(words[1]), words[2]);
  } else if (n >= 2 && same(words[0], "release")) {
    result = release(words[1]);
  } else if (n >= 5 && same(words[0], "rule")) {
    result = add_rule(device_of(words[1]), words[2], (int)number(words[3]), words[4],
                      n > 5 ? number(words[5]) : 0);
  } else if (n >= 4 && same(words[0], "set") && same(words[1], "*")) {
    result = set_machine(words[2], number(words[3]));
  } else if (n >= 2 && device_of(words[1]) >= 0) {
    result = of_device(f, &devices[device_of(words[1])], words, n);
  }
  return result < 0 ? result : (long)bytes;
}
