// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fake.h"

struct device devices[kDevices];
int kernel_version = 702;
bool group_viable = true;

static struct session sessions[128];

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
  if (from == kResuming && d->manner == kMtty && d->session == NULL) {
    mismatch("RESUMING of %d left after its session: the driver would oops", (long)(d - devices));
    return -EINVAL;
  }
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
