// SPDX-License-Identifier: GPL-2.0-only
/*
 * The workload, which nothing has to drive: the steps that were due since the
 * last look are made up for at the next one.
 */
#include <linux/math64.h>
#include <linux/timekeeping.h>

#include "firmware.h"

bool fw_workload_runs(const struct fw_vf *vf)
{
	return vf->is_open && !vf->initiator_suspended;
}

static void fw_do_steps(struct fw_vf *vf, u64 steps)
{
	u64 pages = fw_pages_of(vf->working_set);
	u64 end = vf->epoch + steps;
	/* Whatever is overwritten before it is seen need not be written. */
	u64 step = steps > pages ? end - pages : vf->epoch;
	u32 page = step % pages;

	for (; step < end; step++) {
		vf->versions[page] = step + 1;
		__set_bit(page, vf->dirty);
		fw_tracker_mark_page(vf, page);
		if (++page == pages)
			page = 0;
	}
	vf->epoch = end;
}

/* A function that nobody has enabled any more does not run: its driver is gone, and it is reset. */
static void fw_notice_close(struct fw_vf *vf)
{
	if (!vf->is_open || pci_is_enabled(vf->pdev))
		return;
	vf->is_open = false;
	vf->run_is_open = false;
	fw_state_reset(vf);
}

void fw_workload_sync(struct fw_vf *vf)
{
	u64 now = ktime_get_ns(), due;

	lockdep_assert_held(&vf->lock);
	fw_notice_close(vf);
	if (!fw_workload_runs(vf))
		return;
	due = mul_u64_u64_div_u64(now - vf->clock_begin_ns, vf->rate,
				  (u64)FW_PAGE * NSEC_PER_SEC);
	fw_do_steps(vf, due - vf->clock_steps);
	vf->clock_steps = due;
}

void fw_workload_rebase(struct fw_vf *vf)
{
	vf->clock_begin_ns = ktime_get_ns();
	vf->clock_steps = 0;
}

/* Callers have made it run, and begin an entry of the log of runs here. */
void fw_workload_start(struct fw_vf *vf)
{
	if (vf->run_is_open || !fw_workload_runs(vf))
		return;
	fw_workload_rebase(vf);
	vf->run_is_open = true;
	vf->run = (struct fw_run){
		.seed = vf->seed,
		.first = vf->epoch,
		.begin_ns = vf->clock_begin_ns,
	};
}

/* Callers have synchronised it. */
void fw_workload_stop(struct fw_vf *vf)
{
	if (!vf->run_is_open)
		return;
	vf->run_is_open = false;
	vf->run.end = vf->epoch;
	vf->run.end_ns = ktime_get_ns();
	if (vf->run.end > vf->run.first)
		fw_log_run(&vf->runs, &vf->run);
}

int fw_workload_step(struct fw_vf *vf, u64 steps)
{
	fw_workload_sync(vf);
	if (!fw_workload_runs(vf))
		return -EBUSY;
	fw_do_steps(vf, steps);
	return 0;
}
