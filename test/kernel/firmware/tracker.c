// SPDX-License-Identifier: GPL-2.0-only
/*
 * The DMA tracker: an object that knows which pages of its user's memory a
 * function has written, and reports them by messages. The workload counts as
 * writing to the I/O page of the number of each page of its state.
 */
#include <linux/bitmap.h>
#include <linux/delay.h>
#include <linux/math.h>
#include <linux/mlx5/device.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include "firmware.h"

/* What the state of a tracker is called in a message. */
#define FW_STATE_SHIFT 28

struct fw_range {
	u64 first, end;
};

struct fw_tracker {
	struct fw_vf *vf;
	u32 id, qpn, message_bytes;
	u64 page_bytes;
	struct fw_range ranges[FW_TRACKER_RANGES];
	unsigned int range_count;
	/* By the number of the I/O page: what the workload wrote, and the beats. */
	unsigned long *written;
	struct xarray others;

	struct work_struct report;
	bool is_gone;
	int state;
	__be64 *entries;
	u32 entry_count, entry_room;
};

static DEFINE_XARRAY_ALLOC1(fw_trackers);

static void fw_free_tracker(struct fw_tracker *tracker)
{
	bitmap_free(tracker->written);
	xa_destroy(&tracker->others);
	kvfree(tracker->entries);
	kfree(tracker);
}

static bool fw_is_tracked(const struct fw_tracker *tracker, u64 iova)
{
	unsigned int i;

	for (i = 0; i < tracker->range_count; i++)
		if (iova >= tracker->ranges[i].first && iova < tracker->ranges[i].end)
			return true;
	return false;
}

/* Callers hold the lock of the function. */
void fw_tracker_mark_page(struct fw_vf *vf, u32 page)
{
	if (vf->tracker)
		__set_bit(page, vf->tracker->written);
}

void fw_tracker_mark_iova(struct fw_vf *vf, u64 iova)
{
	if (vf->tracker)
		xa_store(&vf->tracker->others, iova / FW_PAGE, xa_mk_value(1), GFP_ATOMIC);
}

/* In units of the tracker's own page size, each once for all that was written in it. */
static void fw_add_entry(struct fw_tracker *tracker, u64 iova)
{
	__be64 unit = cpu_to_be64(round_down(iova, tracker->page_bytes));

	if (!fw_is_tracked(tracker, iova))
		return;
	if (tracker->entry_count && tracker->entries[tracker->entry_count - 1] == unit)
		return;
	if (tracker->entry_count < tracker->entry_room)
		tracker->entries[tracker->entry_count++] = unit;
}

static void fw_collect(struct fw_tracker *tracker, u64 first, u64 end)
{
	u64 first_page = first / FW_PAGE, end_page = DIV_ROUND_UP_ULL(end, FW_PAGE);
	unsigned long page;
	void *entry;

	tracker->entry_count = 0;
	for_each_set_bit(page, tracker->written, tracker->vf->pages) {
		if (page < first_page || page >= end_page)
			continue;
		fw_add_entry(tracker, (u64)page * FW_PAGE);
		__clear_bit(page, tracker->written);
	}
	xa_for_each_range(&tracker->others, page, entry, first_page, end_page - 1) {
		fw_add_entry(tracker, (u64)page * FW_PAGE);
		xa_erase(&tracker->others, page);
	}
}

/* The buffers of the driver come back as it reads them. */
static int fw_send_patiently(struct fw_tracker *tracker, const void *message, u32 bytes,
			     int state)
{
	int ret;

	for (;;) {
		ret = fw_send(tracker->qpn, message, bytes, state << FW_STATE_SHIFT);
		if (ret != -EAGAIN || READ_ONCE(tracker->is_gone))
			return ret;
		usleep_range(100, 200);
	}
}

/* The driver takes a message that fills its last buffer for one that is too long. */
static u32 fw_entries_a_message(const struct fw_tracker *tracker)
{
	return tracker->message_bytes / sizeof(*tracker->entries) - 1;
}

static void fw_report_work(struct work_struct *work)
{
	struct fw_tracker *tracker = container_of(work, struct fw_tracker, report);
	u32 i, count;

	for (i = 0; i < tracker->entry_count; i += count) {
		count = min(tracker->entry_count - i, fw_entries_a_message(tracker));
		if (fw_send_patiently(tracker, tracker->entries + i,
				      count * sizeof(*tracker->entries),
				      MLX5_PAGE_TRACK_STATE_REPORTING))
			return;
	}
	fw_send_patiently(tracker, NULL, 0, tracker->state);
}

struct fw_vf *fw_vf_of_tracker(const void *in)
{
	struct fw_tracker *tracker =
		xa_load(&fw_trackers, MLX5_GET(general_obj_in_cmd_hdr, in, obj_id));

	return tracker ? tracker->vf : NULL;
}

static void fw_read_ranges(struct fw_tracker *tracker, const void *context)
{
	const void *list = MLX5_ADDR_OF(page_track, context, track_range);
	unsigned int i;

	tracker->range_count = min_t(u32, MLX5_GET(page_track, context, num_ranges),
				     FW_TRACKER_RANGES);
	for (i = 0; i < tracker->range_count; i++) {
		const void *range = list + i * MLX5_ST_SZ_BYTES(page_track_range);
		u64 first = MLX5_GET64(page_track_range, range, start_address);

		tracker->ranges[i].first = first;
		tracker->ranges[i].end = first + MLX5_GET64(page_track_range, range, length);
	}
}

/* LOG_START. Returns a firmware status, or -errno. */
int fw_tracker_create(struct fw_vf *vf, const void *in, void *out)
{
	const void *context = MLX5_ADDR_OF(create_page_track_obj_in, in, obj_context);
	struct fw_tracker *tracker = kzalloc(sizeof(*tracker), GFP_KERNEL);

	if (!tracker)
		return -ENOMEM;
	xa_init_flags(&tracker->others, XA_FLAGS_LOCK_IRQ);
	INIT_WORK(&tracker->report, fw_report_work);
	tracker->vf = vf;
	tracker->qpn = MLX5_GET(page_track, context, reporting_qpn);
	tracker->page_bytes = 1ull << MLX5_GET(page_track, context, log_page_size);
	tracker->message_bytes = 1u << MLX5_GET(page_track, context, log_msg_size);
	/* As many pages as the state has, and the few that beats can be written to meanwhile. */
	tracker->entry_room = vf->pages + 1024;
	tracker->entries = kvmalloc_array(tracker->entry_room, sizeof(*tracker->entries),
					  GFP_KERNEL);
	tracker->written = bitmap_zalloc(vf->pages, GFP_KERNEL);
	fw_read_ranges(tracker, context);
	if (!tracker->entries || !tracker->written ||
	    xa_alloc(&fw_trackers, &tracker->id, tracker, xa_limit_31b, GFP_KERNEL)) {
		fw_free_tracker(tracker);
		return -ENOMEM;
	}
	MLX5_SET(general_obj_out_cmd_hdr, out, obj_id, tracker->id);
	spin_lock_irq(&vf->lock);
	fw_workload_sync(vf);
	vf->tracker = tracker;
	spin_unlock_irq(&vf->lock);
	return 0;
}

/* LOG_REPORT: the messages come when the command has ended. */
int fw_tracker_report(struct fw_vf *vf, const void *in)
{
	const void *context = MLX5_ADDR_OF(modify_page_track_obj_in, in, obj_context);
	u64 first = MLX5_GET64(page_track, context, range_start_address);
	struct fw_fault *fault = fw_faults_take(&vf->faults, FW_TRACKER);
	struct fw_tracker *tracker = vf->tracker;

	if (!tracker)
		return MLX5_CMD_STAT_BAD_RES_ERR;
	tracker->state = MLX5_PAGE_TRACK_STATE_TRACKING;
	if (fw_fault_suffer(&vf->faults, fault))
		tracker->state = MLX5_PAGE_TRACK_STATE_ERROR;
	spin_lock_irq(&vf->lock);
	fw_workload_sync(vf);
	fw_collect(tracker, first, first + MLX5_GET64(page_track, context, length));
	spin_unlock_irq(&vf->lock);
	queue_work(fw_queue, &tracker->report);
	return 0;
}

int fw_tracker_query(const void *in, void *out)
{
	struct fw_tracker *tracker =
		xa_load(&fw_trackers, MLX5_GET(general_obj_in_cmd_hdr, in, obj_id));

	if (!tracker)
		return MLX5_CMD_STAT_BAD_RES_ERR;
	MLX5_SET(page_track, MLX5_ADDR_OF(query_page_track_obj_out, out, obj_context), state,
		 tracker->state);
	return 0;
}

int fw_tracker_destroy(const void *in)
{
	struct fw_tracker *tracker =
		xa_erase(&fw_trackers, MLX5_GET(general_obj_in_cmd_hdr, in, obj_id));
	struct fw_vf *vf;

	if (!tracker)
		return MLX5_CMD_STAT_BAD_RES_ERR;
	vf = tracker->vf;
	spin_lock_irq(&vf->lock);
	vf->tracker = NULL;
	spin_unlock_irq(&vf->lock);
	WRITE_ONCE(tracker->is_gone, true);
	cancel_work_sync(&tracker->report);
	fw_free_tracker(tracker);
	return 0;
}
