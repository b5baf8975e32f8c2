// SPDX-License-Identifier: Apache-2.0
//
// The commands of mlx5's firmware, for devices that are told to model it (`set DEVICE model 1`):
// which of them an arc needs, in the driver's order, and what their failures become.
#include <errno.h>

#include "fake.h"

// drivers/net/ethernet/mellanox/mlx5/core/cmd.c, cmd_status_to_err.
static long errno_of(long status) {
  switch (status) {
    case 0x2:
    case 0x3:
    case 0x5:
    case 0x9:
    case 0xa:
    case 0x10:
    case 0x30:
    case 0x40:
      return -EINVAL;
    case 0x6:
      return -EBUSY;
    case 0x7:
    case 0xf:
      return -EAGAIN;
    case 0x8:
      return -ENOMEM;
    default:
      return -EIO;
  }
}

long command(struct device* d, const char* name) {
  if (!d->model) return 0;
  if (d->detached) return -ENOTCONN;
  note("%s %d", name, (long)(d - devices));
  struct verdict v = gate(name, (int)(d - devices));
  if (v.status == 0 && d->reset_noted) v.status = kOvertaken;
  if (v.status != 0) return errno_of(v.status);
  return v.error;
}

// A SAVE answers later: what it will answer is kept with the session. -errno where it is not even
// begun.
long begin_save(struct device* d, long* status) {
  if (d->detached) return -ENOTCONN;
  note("SAVE %d", (long)(d - devices));
  struct verdict v = gate("SAVE", (int)(d - devices));
  *status = v.status;
  return v.error;
}

static const struct {
  int from, to;
  const char* name;
} suspensions[] = {
    {kRunning, kRunningP2p, "SUSPEND_INITIATOR"}, {kPreCopy, kPreCopyP2p, "SUSPEND_INITIATOR"},
    {kRunningP2p, kRunning, "RESUME_INITIATOR"},  {kPreCopyP2p, kPreCopy, "RESUME_INITIATOR"},
    {kRunningP2p, kStop, "SUSPEND_RESPONDER"},    {kPreCopyP2p, kStopCopy, "SUSPEND_RESPONDER"},
    {kStop, kRunningP2p, "RESUME_RESPONDER"},
};

// The driver suspends only when no SAVE is running.
long suspend_or_resume(struct device* d, int to) {
  for (size_t i = 0; i < sizeof suspensions / sizeof *suspensions; i++) {
    if (suspensions[i].from != d->state || suspensions[i].to != to) continue;
    if (d->model && starts(suspensions[i].name, "SUSPEND")) wait_for_save(d);
    return command(d, suspensions[i].name);
  }
  return 0;
}

void wait_for_save(const struct device* d) {
  while (d->session != NULL && d->session->in_flight) wait_for_change(-1);
}
