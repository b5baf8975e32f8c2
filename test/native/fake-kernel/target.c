// SPDX-License-Identifier: Apache-2.0
//
// What a resuming fd makes of its stream, for devices that model it: mlx5's tagged records, each
// image loaded when its last byte has come, and mtty's header with its ports.
#include <errno.h>

#include "fake.h"

enum { kFwData, kStopCopySize };
enum { kOptional = 1 };
static const uint64_t kLargest = UINT32_MAX;

static uint64_t number_at(const unsigned char* bytes, int count) {
  uint64_t value = 0;
  for (int i = count - 1; i >= 0; i--) value = value << 8 | bytes[i];
  return value;
}

static long header_done(struct target* t) {
  t->record_size = number_at(t->header, 8);
  t->tag = (uint32_t)number_at(t->header + 12, 4);
  uint32_t flags = (uint32_t)number_at(t->header + 8, 4);
  if (t->record_size > kLargest) return -ENOMEM;
  if (t->tag > kStopCopySize && !(flags & kOptional)) return -EOPNOTSUPP;
  t->in_record = true;
  t->record_taken = 0;
  return 0;
}

// A record is over when its last byte has come; one without any when the next byte has.
static long record_done(struct device* d, struct target* t) {
  t->in_record = false;
  t->header_taken = 0;
  if (t->tag == kStopCopySize) t->room = number_at(t->payload, 8);
  if (t->tag != kFwData) return 0;
  return command(d, "LOAD");
}

static long record_bytes(struct device* d, struct target* t, const unsigned char* from,
                         size_t bytes, size_t* used) {
  uint64_t left = t->record_size - t->record_taken;
  size_t count = bytes < left ? bytes : left;
  if (t->tag == kFwData && t->record_size > t->room) t->room = t->record_size;
  if (t->tag == kFwData && t->room == 0) return -EINVAL;
  for (size_t i = 0; i < count && t->record_taken + i < sizeof t->payload; i++)
    t->payload[t->record_taken + i] = from[i];
  t->record_taken += count;
  *used = count;
  return t->record_taken == t->record_size ? record_done(d, t) : 0;
}

static long one_piece(struct device* d, struct target* t, const unsigned char* from, size_t bytes,
                      size_t* used) {
  if (t->in_record) return record_bytes(d, t, from, bytes, used);
  t->header[t->header_taken++] = *from;
  *used = 1;
  return t->header_taken == sizeof t->header ? header_done(t) : 0;
}

long take_records(struct device* d, struct session* s, const unsigned char* from, size_t bytes) {
  if (s->error) return -ENODEV;
  if (d->detached) return -ENODEV;
  for (size_t at = 0, used = 0; at < bytes; at += used) {
    used = 0;
    long error = one_piece(d, &s->target, from + at, bytes - at, &used);
    if (error < 0) {
      s->error = true;
      return error;
    }
  }
  s->taken += bytes;
  return (long)bytes;
}

static const unsigned char mtty_header[24] = {0x4e, 0x2c, 0x3e, 0x8c, 0x89, 0x09, 0x9d, 0x7e, 1,
                                              0,    0,    0,    0,    0,    0,    0,    1,    0};

unsigned char mtty_byte(uint64_t position) {
  return position < sizeof mtty_header ? mtty_header[position] : 0;
}

// The bytes of a refused header are taken all the same, and more after it.
long take_mtty(struct session* s, const unsigned char* from, size_t bytes) {
  uint64_t before = s->taken;
  for (size_t i = 0; i < bytes && before + i < sizeof s->target.payload; i++)
    s->target.payload[before + i] = from[i];
  s->taken += bytes;
  if (before >= sizeof mtty_header || s->taken < sizeof mtty_header) return (long)bytes;
  for (size_t i = 0; i < sizeof mtty_header; i++)
    if (s->target.payload[i] != mtty_header[i]) return -EFAULT;
  return (long)bytes;
}
