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
  if (!s->dead) wake_readers(s, s->error || s->position < s->filled || complete(s));
}

static void queue_record(struct session* s, uint64_t bytes) {
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

static long start_image(struct device* d, uint64_t bytes, bool last) {
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

// Record 0 is {8, flags 1, tag 1} and a size; the others {size, 0, 0} and a pattern that names its
// place.
static unsigned char stream_byte(const struct session* s, uint64_t p) {
  const struct device* d = &devices[s->device];
  if (d->manner == kMtty) return d->model ? mtty_byte(p) : (unsigned char)(p * 31 + 7);
  int r = s->records - 1;
  while (r > 0 && s->record_start[r] > p) r--;
  uint64_t at = p - s->record_start[r];
  if (at < 8) return number_byte(s->record_bytes[r], at);
  if (at < kRecordHeader) return r == 0 && (at == 8 || at == 12);
  return r == 0 ? number_byte(s->announced, at - kRecordHeader) : (unsigned char)(p * 31 + 7);
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

static uint64_t whole_pages(uint64_t bytes) { return (bytes + kPage - 1) / kPage * kPage; }

// The driver announces the buffer that it keeps for STOP_COPY: a tenth larger where the state may
// grow.
static uint64_t announce(const struct device* d, bool last) {
  if (!d->model) return d->image;
  return whole_pages(last ? d->image : d->image + d->image / 10);
}

static long enter_saving(struct device* d, bool last) {
  long error = d->manner == kMlx5 ? command(d, "QUERY") : 0;
  if (error < 0) return error;
  struct session* s = new_session(d, true);
  if (d->manner == kMtty) {
    s->filled = s->initial_end = kMttyHeader;
    if (last) s->filled += kMttyPort, s->last_image = true;
    return 0;
  }
  s->announced = announce(d, last);
  queue_record(s, 8);
  s->initial_end = kFirstRecord;
  if (d->model) d->dirty = 0;
  error = start_image(d, d->image, last);
  if (error < 0) {
    s->used = false;
    d->session = NULL;
  }
  return error;
}

// The responder is suspended by now, so even an increment without a page has its header.
static uint64_t final_image(const struct device* d) {
  if (!d->model) return d->image / 4;
  if (d->session->precopy_error) return d->image;
  return d->dirty > 0 ? d->dirty : kImageHeader;
}

static long enter_stop_copy(struct device* d) {
  struct session* s = d->session;
  if (s == NULL) return 0;
  if (d->manner == kMtty) {
    s->filled += kMttyPort, s->last_image = true;
    return 0;
  }
  if (s->error) return -ENODEV;
  long error = command(d, "QUERY");
  if (error == 0) error = start_image(d, final_image(d), true);
  if (error == 0) d->dirty = 0;
  if (error < 0) s->error = true;
  update_readiness(s);
  return error;
}

// mlx5 leaves pre-copy by one more SAVE, whose image nobody gets. When that one fails, the session
// is gone and the state is not left.
static long leave_precopy(struct device* d) {
  struct session* s = d->session;
  if (!d->model || d->manner != kMlx5 || s == NULL) return 0;
  wait_for_save(d);
  if (s->error) return -ENODEV;
  long error = command(d, "QUERY");
  if (error == 0) error = start_image(d, kImageHeader, false);
  if (error < 0) return error;
  wait_for_save(d);
  return s->error ? -EIO : 0;
}

static void end_session(struct device* d) {
  struct session* s = d->session;
  if (s == NULL) return;
  if (d->model) wait_for_save(d);
  d->session = NULL;
  s->dead = true;
  s->taken = 0;  // mtty's fd is as at its beginning
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
  long error = d->manner == kMlx5 ? suspend_or_resume(d, to) : 0;
  if (error < 0) return error;
  if ((in_saving_group(from) && !in_saving_group(to)) || from == kResuming) {
    if (from == kPreCopy || from == kPreCopyP2p) error = leave_precopy(d);
    if (error == 0 || error == -EIO) end_session(d);
  }
  if (error < 0) return error;
  if (!in_saving_group(from) && in_saving_group(to)) {
    error = enter_saving(d, to == kStopCopy);
    *opened = d->session;
  } else if (to == kStopCopy) {
    error = enter_stop_copy(d);
  } else if (to == kResuming) {
    if (d->detached) return -ENOTCONN;
    *opened = new_session(d, false);
  }
  if (error == 0) d->state = to;
  return error;
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

void lock_state(struct device* d) {
  while (d->locked) wait_for_change(-1);
  d->locked = true;
}

void unlock_state(struct device* d) {
  while (d->reset_noted) {
    d->reset_noted = false;
    d->state = kRunning;
    end_session(d);
  }
  d->locked = false;
  changed();
}

// Where the state mutex is taken, its holder resets when it lets go.
void reset_device(struct device* d) {
  d->reset_noted = true;
  if (d->locked) return;
  d->locked = true;
  unlock_state(d);
}

void last_close(struct device* d) {
  end_session(d);
  d->info_v2 = d->logging = false;
  if (d->manner == kMlx5) d->state = kRunning;
}

// The PF takes its function away: sessions end, and every command is ENOTCONN.
void detach(struct device* d) {
  lock_state(d);
  end_session(d);
  d->detached = true;
  unlock_state(d);
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
  if (s->dead || s->error) return -ENODEV;
  if (d->manner == kMtty || complete(s)) return 0;
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
  while (d->state == kPreCopy && s->in_flight && !s->dead) wait_for_change(-1);
  long error = d->state == kPreCopy && !s->precopy_error && !s->error ? command(d, "QUERY") : 0;
  if (error < 0) return error;
  if (s->error) return -ENODEV;
  uint64_t unread = s->filled - s->position;
  uint64_t more = d->state != kPreCopy || s->precopy_error ? 0 : d->reinit ? d->image : d->dirty;
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
