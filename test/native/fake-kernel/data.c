// SPDX-License-Identifier: Apache-2.0
//
// read, write and GET_PRECOPY_INFO of a data_fd.
#include <errno.h>

#include "fake.h"

static long nothing_now(const struct session* s) {
  const struct device* d = &devices[s->device];
  if (s->dead || s->error) return -ENODEV;
  if (d->manner == kMtty || is_complete(s)) return 0;
  if (s->precopy_error && !s->last_image) return -ENOMSG;
  bool first = s->initial_end == kFirstRecord;
  return s->in_flight && (first || (s->last_image && d->chunks)) ? -EAGAIN : -ENOMSG;
}

long read_session(struct session* s, unsigned char* to, size_t bytes, bool nonblock) {
  while (s->dead || s->error || s->position == s->filled) {
    long answer = nothing_now(s);
    if (answer != -EAGAIN || nonblock) return answer;
    wait_for_change(-1);
  }
  uint64_t left = s->filled - s->position;
  size_t count = bytes < left ? bytes : left;
  for (size_t i = 0; i < count; i++) to[i] = stream_byte(s, s->position++);
  update_readiness(s);
  return (long)count;
}

static long take(struct device* d, struct session* s, const unsigned char* from, size_t bytes) {
  if (d->manner == kMtty && s->taken + bytes > kMttyHeader + kMttyPort) return -ENOMEM;
  if (s->dead) return -ENODEV;
  if (d->model)
    return d->manner == kMtty ? take_mtty(s, from, bytes) : take_records(d, s, from, bytes);
  for (size_t i = 0; i < bytes; i++) s->hash = s->hash * 31 + from[i];
  s->taken += bytes;
  return (long)bytes;
}

long write_session(struct session* s, const unsigned char* from, size_t bytes) {
  struct device* d = &devices[s->device];
  lock_state(d);
  long result = take(d, s, from, bytes);
  unlock_state(d);
  return result;
}

struct info {
  uint32_t argsz, flags;
  uint64_t initial, dirty;
};

// The next image is made by asking for it: when all was read, or when the device starts over.
static long mlx5_info(struct device* d, struct session* s, struct info* info) {
  if (d->state == kPreCopy && s->in_flight) note("waits PRECOPY_INFO %d", (long)s->device);
  while (d->state == kPreCopy && s->in_flight && !s->dead) wait_for_change(-1);
  long error = d->state == kPreCopy && !s->precopy_error && !s->error ? command(d, "QUERY") : 0;
  if (error < 0) return error;
  if (s->error) return -ENODEV;
  uint64_t unread = s->filled - s->position;
  uint64_t more = d->state != kPreCopy || s->precopy_error ? 0 : d->reinit ? d->image : d->dirty;
  // Room for what the arcs out of PRE_COPY add.
  if (s->records > kMostRecords - 4) more = 0;
  bool starts_over = d->reinit && d->info_v2 && more > 0;
  bool is_initial = starts_over || s->position < s->initial_end;
  if (starts_over)
    info->initial = unread + more;
  else if (is_initial)
    info->initial = s->initial_end - s->position;
  else
    info->dirty = unread + more;
  if (starts_over) info->flags = 1;
  if ((unread > 0 && !starts_over) || more == 0) return 0;
  if (kernel_version >= 702) *(is_initial ? &info->initial : &info->dirty) += kRecordHeader;
  if (!starts_over) d->reinit = false;
  d->dirty = 0;
  error = start_image(d, more, false);
  if (error < 0) s->error = true;
  return error;
}

static long ask(struct device* d, struct session* s, struct info* info) {
  if (d->state != kPreCopy && d->state != kPreCopyP2p) return -EINVAL;
  if (s->dead) return -ENODEV;
  info->initial = info->dirty = 0;
  if (d->manner == kMtty) {
    info->initial = s->filled - s->position;
    return 0;
  }
  long error = mlx5_info(d, s, info);
  return error == 0 && s->dead ? -ENODEV : error;
}

long precopy_info(struct session* s, void* argument) {
  struct device* d = &devices[s->device];
  struct info info;
  if (argument == NULL) return -EFAULT;
  copy(&info, argument, sizeof info);
  if (info.argsz != sizeof info) mismatch("precopy info argsz %d", (long)info.argsz);
  if (info.argsz < sizeof info) return -EINVAL;
  if (info.flags != 0) mismatch("precopy info flags %d", (long)info.flags);
  if (!s->saving) return -ENOTTY;
  info.flags = 0;
  lock_state(d);
  long error = ask(d, s, &info);
  unlock_state(d);
  if (error < 0) return error;
  // Without a model REINIT is always said, so that a test can see where flags come from.
  if (!d->model) info.flags = d->info_v2 && d->manner == kMlx5;
  copy(argument, &info, sizeof info);
  return 0;
}
