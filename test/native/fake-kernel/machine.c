// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fake.h"

struct device devices[kDevices];
int kernel_version = 702;
bool group_viable = true;

static struct session sessions[64];

// The next single step from the row toward the column, as the kernel's vfio_mig_get_next_state
// answers it for the flags that a device can have (STOP_COPY 1, P2P 2, PRE_COPY 4). A digit is a
// state, '.' is EINVAL. Columns in the order of the numbers: ERROR STOP RUNNING STOP_COPY RESUMING
// RUNNING_P2P PRE_COPY PRE_COPY_P2P.
static const char* const next_step[8][kStates] = {
    [1] = {"........", ".1234...", ".1211...", ".1131...", ".1114...", "........", "........",
           "........"},
    [3] = {"........", ".15345..", ".52555..", ".11311..", ".11141..", ".12115..", "........",
           "........"},
    [5] = {"........", ".1234.2.", ".1211.6.", ".1131...", ".1114.1.", "........", ".2232.6.",
           "........"},
    [7] = {"........", ".1534555", ".5255565", ".11311..", ".1114111", ".1211527", ".2272267",
           ".5535567"},
};

// ---- saving streams

enum { kRecordHeader = 16, kFirstRecord = 24, kMttyHeader = 24, kMttyPort = 36 };

static void wake_readers(struct session* s, bool ready) {
  char byte = 0;
  if (s->fd_signal >= 0 && ready && !s->ready) syscall(SYS_write, s->fd_signal, &byte, 1);
  // MSG_DONTWAIT: the byte is ours alone, nobody else reads from this end.
  if (s->fd_signal >= 0 && !ready && s->ready)
    syscall(SYS_recvfrom, s->fd_real, &byte, 1, MSG_DONTWAIT, NULL, NULL);
  s->ready = ready;
  changed();
}

static bool complete(const struct session* s) { return s->last_image && !s->in_flight; }

// mlx5: readable while there is something to take, and at the end; never because nothing is to be
// had now.
static void update_readiness(struct session* s) {
  if (!s->dead) wake_readers(s, s->position < s->filled || complete(s));
}

static void queue_record(struct session* s, uint64_t bytes) {
  s->record_start[s->records] = s->filled;
  s->record_bytes[s->records++] = bytes;
  s->filled += kRecordHeader + bytes;
}

static void finish_image(struct session* s) {
  s->in_flight = false;
  queue_record(s, s->flying);
  if (s->initial_end == kFirstRecord && !s->last_image) s->initial_end = s->filled;
  update_readiness(s);
}

void complete_save(struct device* d) {
  if (d->session != NULL && d->session->in_flight) finish_image(d->session);
}

static void start_image(struct device* d, uint64_t bytes, bool last) {
  struct session* s = d->session;
  if (s->in_flight) finish_image(s);
  s->in_flight = true;
  s->last_image = last;
  s->flying = bytes;
  if (d->auto_save) finish_image(s);
  update_readiness(s);
}

static unsigned char number_byte(uint64_t value, uint64_t at) {
  return (unsigned char)(value >> (8 * at));
}

// Record 0 is {8, flags 1, tag 1} and a size; the others {size, 0, 0} and a pattern that names its
// place.
static unsigned char stream_byte(const struct session* s, uint64_t p) {
  if (devices[s->device].manner == kMtty) return (unsigned char)(p * 31 + 7);
  int r = s->records - 1;
  while (r > 0 && s->record_start[r] > p) r--;
  uint64_t at = p - s->record_start[r];
  if (at < 8) return number_byte(s->record_bytes[r], at);
  if (at < kRecordHeader) return r == 0 && (at == 8 || at == 12);
  return r == 0 ? number_byte(devices[s->device].image, at - kRecordHeader)
                : (unsigned char)(p * 31 + 7);
}

// ---- sessions

static struct session* new_session(struct device* d, bool saving) {
  for (size_t i = 0; i < sizeof sessions / sizeof *sessions; i++) {
    struct session* s = &sessions[i];
    if (s->used) continue;
    zero(s, sizeof *s);
    s->used = true;
    s->saving = saving;
    s->device = (int)(d - devices);
    s->fd_real = s->fd_signal = -1;
    return d->session = s;
  }
  mismatch("more sessions than the fake kernel has");
  return NULL;
}

static void enter_saving(struct device* d, bool last) {
  struct session* s = new_session(d, true);
  if (d->manner == kMtty) {
    s->filled = s->initial_end = kMttyHeader;
    if (last) s->filled += kMttyPort, s->last_image = true;
    return;
  }
  queue_record(s, 8);
  s->initial_end = kFirstRecord;
  start_image(d, d->image, last);
}

static void enter_stop_copy(struct device* d) {
  struct session* s = d->session;
  if (s == NULL) return;
  if (d->manner == kMtty)
    s->filled += kMttyPort, s->last_image = true;
  else
    start_image(d, d->image / 4, true);
}

static void end_session(struct device* d) {
  struct session* s = d->session;
  d->session = NULL;
  if (s == NULL) return;
  s->dead = true;
  s->used = s->has_fd;
  if (s->fd_signal >= 0)
    syscall(SYS_shutdown, s->fd_signal, SHUT_RDWR);  // IN and RDHUP from now on
  changed();
}

void drop_session(struct session* s) {
  if (s->fd_signal >= 0) syscall(SYS_close, s->fd_signal);
  s->fd_signal = -1;
  s->has_fd = false;
  if (s->dead) s->used = false;
}

// ---- arcs

static bool in_saving_group(int state) {
  return state == kStopCopy || state == kPreCopy || state == kPreCopyP2p;
}

static long arc(struct device* d, int to, struct session** opened) {
  int from = d->state;
  if (from == kResuming && d->manner == kMtty && d->session->taken < kMttyHeader + kMttyPort)
    return -EINVAL;
  if ((in_saving_group(from) && !in_saving_group(to)) || from == kResuming) end_session(d);
  if (!in_saving_group(from) && in_saving_group(to)) {
    enter_saving(d, to == kStopCopy);
    *opened = d->session;
  } else if (to == kStopCopy) {
    enter_stop_copy(d);
  } else if (to == kResuming) {
    *opened = new_session(d, false);
  }
  d->state = to;
  return 0;
}

long set_state(struct device* d, int target, struct session** opened) {
  if (target < 0 || target >= kStates) return -EINVAL;
  while (d->state != target) {
    char next = next_step[d->flags][d->state][target];
    if (next < '0' || next > '7') return -EINVAL;
    long error = arc(d, next - '0', opened);
    if (error < 0) return error;
  }
  return 0;
}

void reset_device(struct device* d) {
  if (d->calls_in_set > 0) {  // the state mutex is taken: its holder resets when it lets go
    d->reset_noted = true;
    return;
  }
  d->reset_noted = false;
  end_session(d);
  d->state = kRunning;
}

void last_close(struct device* d) {
  end_session(d);
  d->info_v2 = false;
  if (d->manner == kMlx5) d->state = kRunning;
}

void power_on(int index) {
  struct device* d = &devices[index];
  end_session(d);
  zero(d, sizeof *d);
  d->flags = 7;
  d->state = kRunning;
  d->auto_save = d->has_logging = d->chunks = true;
  d->image = d->data_size = 65536;
  for (uint64_t i = 0; i < kRegions; i++) {
    d->region[i].flags = 3;
    d->region[i].size = i == 0 || i == 7 ? kRegionBytes : 0;
    d->region[i].offset = i << 40;
  }
}

// ---- data fd

static long nothing_now(const struct session* s) {
  const struct device* d = &devices[s->device];
  if (s->dead) return -ENODEV;
  if (d->manner == kMtty || complete(s)) return 0;
  bool first = s->initial_end == kFirstRecord;
  return s->in_flight && (first || (s->last_image && d->chunks)) ? -EAGAIN : -ENOMSG;
}

long read_session(struct session* s, unsigned char* to, size_t bytes, bool nonblock) {
  while (s->dead || s->position == s->filled) {
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

long write_session(struct session* s, const unsigned char* from, size_t bytes) {
  if (devices[s->device].manner == kMtty && s->taken + bytes > kMttyHeader + kMttyPort)
    return -ENOMEM;
  if (s->dead) return -ENODEV;
  for (size_t i = 0; i < bytes; i++) s->hash = s->hash * 31 + from[i];
  s->taken += bytes;
  return (long)bytes;
}

struct info {
  uint32_t argsz, flags;
  uint64_t initial, dirty;
};

static void mlx5_info(struct device* d, struct session* s, struct info* info) {
  while (s->in_flight && !s->dead) wait_for_change(-1);
  uint64_t more = d->state == kPreCopy ? d->dirty : 0;
  if (s->position < s->initial_end) {
    info->initial = s->initial_end - s->position;
    return;
  }
  info->dirty = s->filled - s->position + more;
  if (s->position < s->filled || more == 0) return;
  if (kernel_version >= 702) info->dirty += kRecordHeader;
  d->dirty = 0;
  start_image(d, more, false);
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
  if (d->state != kPreCopy && d->state != kPreCopyP2p) return -EINVAL;
  if (s->dead) return -ENODEV;
  info.initial = info.dirty = 0;
  if (d->manner == kMtty)
    info.initial = s->filled - s->position;
  else
    mlx5_info(d, s, &info);
  if (s->dead) return -ENODEV;
  if (d->info_v2)
    info.flags = d->manner == kMlx5;  // REINIT, so that a test can see where flags come from
  copy(argument, &info, sizeof info);
  return 0;
}
