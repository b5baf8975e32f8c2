// SPDX-License-Identifier: GPL-2.0-only
/* LOAD: an image into the state, when it is whole, right, and next. */
#include <linux/mlx5/device.h>
#include <linux/mm.h>

#include "firmware.h"

static bool fw_is_next(const struct fw_loading *loading, const struct fw_image *header)
{
	u64 id = le64_to_cpu(header->id), base = le64_to_cpu(header->base);
	u32 chunk = le32_to_cpu(header->chunk);

	if (chunk)
		return loading->next_chunk == chunk && loading->id == id;
	return !base || (base == loading->id && !loading->next_chunk);
}

static int fw_check_load(const struct fw_vf *vf, const struct fw_image *header)
{
	if (le64_to_cpu(header->size) != vf->size)
		return MLX5_CMD_STAT_BAD_INP_LEN_ERR;
	if (!vf->initiator_suspended || !vf->responder_suspended)
		return MLX5_CMD_STAT_BAD_SYS_STATE_ERR;
	if (!fw_is_next(&vf->loading, header))
		return MLX5_CMD_STAT_BAD_RES_STATE_ERR;
	return 0;
}

static void fw_take_image(struct fw_vf *vf, const struct fw_image *header,
			  const struct fw_page_version *pages)
{
	u32 flags = le32_to_cpu(header->flags), i;
	bool is_last = flags & FW_IMAGE_LAST_CHUNK;

	if (!header->base && !header->chunk)
		memset(vf->versions, 0, vf->pages * sizeof(*vf->versions));
	for (i = 0; i < le32_to_cpu(header->pages); i++)
		vf->versions[pages[i].page] = pages[i].version;
	vf->seed = le64_to_cpu(header->seed);
	vf->epoch = le64_to_cpu(header->epoch);
	vf->window.vector = le32_to_cpu(header->vector);
	vf->window.iova = le64_to_cpu(header->iova);
	vf->tracking = (struct fw_tracking){};
	vf->loading = (struct fw_loading){
		.begun = true,
		.whole = is_last && (flags & FW_IMAGE_FINAL),
		.id = le64_to_cpu(header->id),
		.next_chunk = is_last ? 0 : le32_to_cpu(header->chunk) + 1,
	};
}

/* What was loaded is of no use any more: only a full image can go on from here. */
void fw_refuse_load(struct fw_command *command)
{
	struct fw_vf *vf = command->vf;

	spin_lock_irq(&vf->lock);
	if (!fw_command_is_overtaken(command))
		vf->loading = (struct fw_loading){ .begun = true };
	spin_unlock_irq(&vf->lock);
}

static int fw_load_into(struct fw_vf *vf, const struct fw_memory *memory, u32 length,
			const struct fw_image *header, const struct fw_command *command)
{
	struct fw_page_version *pages;
	int status;

	spin_lock_irq(&vf->lock);
	status = fw_check_load(vf, header);
	spin_unlock_irq(&vf->lock);
	if (status)
		return status;

	pages = kvmalloc_array(le32_to_cpu(header->pages) ?: 1, sizeof(*pages), GFP_KERNEL);
	if (!pages)
		return -ENOMEM;
	status = fw_image_read_pages(memory, length, header, pages);
	fw_command_wait(command, length);
	if (!status) {
		spin_lock_irq(&vf->lock);
		if (fw_command_is_overtaken(command))
			status = MLX5_CMD_STAT_BAD_SYS_STATE_ERR;
		else
			fw_take_image(vf, header, pages);
		spin_unlock_irq(&vf->lock);
	}
	kvfree(pages);
	return status;
}

int fw_load(struct fw_command *command, const void *in)
{
	const struct fw_memory *memory = fw_memory_get(MLX5_GET(load_vhca_state_in, in, mkey));
	u32 length = MLX5_GET(load_vhca_state_in, in, size);
	struct fw_vf *vf = command->vf;
	struct fw_image header;
	int status;

	status = fw_image_read_header(memory, length, &header);
	if (!status)
		status = fw_load_into(vf, memory, length, &header, command);
	return status;
}
