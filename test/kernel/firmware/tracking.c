// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which pages an image has: those that no tracked SAVE has seen yet, as many
 * of them as fit into the buffer, or into a chunk.
 */
#include <linux/bitmap.h>
#include <linux/mlx5/device.h>
#include <linux/random.h>

#include "firmware.h"

void fw_mark_all(struct fw_vf *vf, unsigned long *pages)
{
	bitmap_fill(pages, vf->pages);
}

/* Of an image of these pages. */
u64 fw_image_bytes(const struct fw_vf *vf, const unsigned long *pages)
{
	u64 bytes = sizeof(struct fw_image) +
		    (u64)bitmap_weight(pages, vf->pages) * FW_PAGE;
	u32 last = vf->pages - 1;

	if (test_bit(last, pages))
		bytes -= FW_PAGE - fw_page_bytes(vf->size, last);
	return bytes;
}

static u64 fw_new_id(void)
{
	u64 id = get_random_u64();

	return id ?: 1;
}

/* Begins an image, or goes on with one in chunks, and chooses its pages. */
static int fw_begin_image(struct fw_vf *vf, struct fw_save_plan *plan)
{
	struct fw_tracking *tracking = &vf->tracking;

	if (tracking->in_chunks && plan->incremental && !plan->track)
		return 0;
	if (plan->incremental && !tracking->on)
		return MLX5_CMD_STAT_BAD_RES_STATE_ERR;
	tracking->id = fw_new_id();
	tracking->base = plan->incremental ? tracking->last_id : 0;
	tracking->next_chunk = 0;
	if (plan->incremental)
		bitmap_copy(vf->remaining, vf->dirty, vf->pages);
	else
		fw_mark_all(vf, vf->remaining);
	return 0;
}

/* Moves pages from those that remain into the plan. */
static void fw_take_pages(struct fw_vf *vf, struct fw_save_plan *plan, u64 room)
{
	u32 page;

	plan->count = 0;
	plan->bytes = sizeof(struct fw_image);
	for_each_set_bit(page, vf->remaining, vf->pages) {
		u32 bytes = fw_page_bytes(vf->size, page);

		if (plan->bytes + bytes > room)
			break;
		plan->pages[plan->count++] = (struct fw_page_version){
			.page = page,
			.version = vf->versions[page],
		};
		plan->bytes += bytes;
		__clear_bit(page, vf->remaining);
	}
}

static void fw_fill_header(struct fw_vf *vf, struct fw_save_plan *plan, bool is_last)
{
	const struct fw_tracking *tracking = &vf->tracking;
	bool is_final = vf->initiator_suspended && vf->responder_suspended;

	plan->header = (struct fw_image){
		.magic = cpu_to_le32(FW_IMAGE_MAGIC),
		.format = cpu_to_le32(FW_IMAGE_FORMAT),
		.size = cpu_to_le64(vf->size),
		.seed = cpu_to_le64(vf->seed),
		.epoch = cpu_to_le64(vf->epoch),
		.id = cpu_to_le64(tracking->id),
		.base = cpu_to_le64(tracking->base),
		.flags = cpu_to_le32((tracking->base ? FW_IMAGE_INCREMENTAL : 0) |
				     (is_last ? FW_IMAGE_LAST_CHUNK : 0) |
				     (is_final ? FW_IMAGE_FINAL : 0)),
		.chunk = cpu_to_le32(tracking->next_chunk),
		.pages = cpu_to_le32(plan->count),
		.vector = cpu_to_le32(vf->window.vector),
		.iova = cpu_to_le64(vf->window.iova),
	};
	plan->header.check = fw_image_check(&plan->header);
}

/*
 * A SAVE of everything while the function is tracked and its responder goes
 * on ends the tracking. Nobody is to load its image, and its buffer was made
 * for an increment.
 */
static bool fw_is_cleanup(const struct fw_vf *vf, const struct fw_save_plan *plan)
{
	return vf->tracking.on && !vf->responder_suspended &&
	       !plan->incremental && !plan->track;
}

/* Chooses and marks what a SAVE is to save. Returns a firmware status. */
int fw_plan_save(struct fw_vf *vf, struct fw_save_plan *plan)
{
	struct fw_tracking *tracking = &vf->tracking;
	u64 room = plan->buffer;
	bool is_cleanup, is_last;
	int status;

	lockdep_assert_held(&vf->lock);
	vf->reinit = false;
	is_cleanup = fw_is_cleanup(vf, plan);
	status = fw_begin_image(vf, plan);
	if (status)
		return status;

	if (vf->is_chunk_mode)
		room = min(room, vf->chunk_size);
	if (room < sizeof(struct fw_image)) {
		if (is_cleanup)
			*tracking = (struct fw_tracking){};
		return is_cleanup ? MLX5_CMD_STAT_BAD_RES_STATE_ERR : MLX5_CMD_STAT_LIM_ERR;
	}
	fw_take_pages(vf, plan, room);

	is_last = bitmap_empty(vf->remaining, vf->pages);
	tracking->in_chunks = !is_last && vf->is_chunk_mode && !plan->track && !is_cleanup;
	if (!is_last && !tracking->in_chunks && !is_cleanup && !plan->incremental &&
	    !vf->is_chunk_mode)
		return MLX5_CMD_STAT_LIM_ERR;
	fw_fill_header(vf, plan, !tracking->in_chunks);
	plan->next_bytes = 0;
	if (tracking->in_chunks) {
		plan->next_bytes = min(vf->chunk_size, fw_image_bytes(vf, vf->remaining));
		tracking->next_chunk++;
		return 0;
	}
	tracking->last_id = tracking->id;
	tracking->on = plan->track;
	if (plan->track)
		bitmap_copy(vf->dirty, vf->remaining, vf->pages);
	return 0;
}
