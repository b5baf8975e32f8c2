// SPDX-License-Identifier: Apache-2.0
//
// What a saving session gives out: mlx5's tagged records, made by SAVEs that run for a while, or
// mtty's header and port.
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fake.h"

static void wake_readers(struct session* s, bool ready) {
  char byte = 0;
  if (s->fd_signal >= 0 && ready && !s->ready) syscall(SYS_write, s->fd_signal, &byte, 1);
  // MSG_DONTWAIT: the byte is ours alone, nobody else reads from this end.
  if (s->fd_signal >= 0 && !ready && s->ready)
    syscall(SYS_recvfrom, s->fd_real, &byte, 1, MSG_DONTWAIT, NULL, NULL);
  s->ready = ready;
  changed();
}

bool is_complete(const struct session* s) { return s->last_image && !s->in_flight; }

// mlx5: readable while there is something to take, and at the end; never because nothing is to be
// had now.
void update_readiness(struct session* s) {
  if (!s->dead) wake_readers(s, s->error || s->position < s->filled || is_complete(s));
}

void queue_record(struct session* s, uint64_t bytes) {
  s->record_start[s->records] = s->filled;
  s->record_bytes[s->records++] = bytes;
  s->filled += kRecordHeader + bytes;
}

// Status 9 (bad resource state) ends the increments only, while there may still be some.
static void fail_image(struct session* s) {
  if (s->flying_status == 9 && !s->last_image)
    s->precopy_error = true;
  else
    s->error = true;
}

static void finish_image(struct session* s) {
  s->in_flight = false;
  if (devices[s->device].reset_noted) s->flying_status = kOvertaken;
  if (s->flying_status != 0) {
    fail_image(s);
  } else {
    queue_record(s, s->flying);
    if (s->flying_initial) s->initial_end = s->filled;
  }
  update_readiness(s);
}

void complete_save(struct device* d) {
  if (d->session != NULL && d->session->in_flight) finish_image(d->session);
}

long start_image(struct device* d, uint64_t bytes, bool last) {
  struct session* s = d->session;
  if (s->in_flight) finish_image(s);
  s->flying_status = 0;
  long error = d->model ? begin_save(d, &s->flying_status) : 0;
  if (error < 0) return error;
  s->flying_initial = !last && (s->initial_end == kFirstRecord || d->reinit);
  d->reinit = false;
  s->in_flight = true;
  s->last_image = last;
  s->flying = bytes;
  if (d->auto_save) finish_image(s);
  update_readiness(s);
  return 0;
}

static unsigned char number_byte(uint64_t value, uint64_t at) {
  return (unsigned char)(value >> (8 * at));
}

// Another piece of one sequence in each block of 256 bytes and of 64 KiB, so that none is taken for
// another.
static unsigned char pattern_byte(uint64_t p) {
  return (unsigned char)((p + (p >> 8) * 5 + (p >> 16) * 97) * 31 + 7);
}

// Record 0 is {8, flags 1, tag 1} and a size; the others {size, 0, 0} and a pattern that names its
// place.
unsigned char stream_byte(const struct session* s, uint64_t p) {
  const struct device* d = &devices[s->device];
  if (d->manner == kMtty) return d->model ? mtty_byte(p) : pattern_byte(p);
  int r = s->records - 1;
  while (r > 0 && s->record_start[r] > p) r--;
  uint64_t at = p - s->record_start[r];
  if (at < 8) return number_byte(s->record_bytes[r], at);
  if (at < kRecordHeader) return r == 0 && (at == 8 || at == 12);
  return r == 0 ? number_byte(s->announced, at - kRecordHeader) : pattern_byte(p);
}
