// SPDX-License-Identifier: GPL-2.0-only
/* QUERY: how many bytes a SAVE would need. */
#include <linux/mlx5/device.h>

#include "compat.h"
#include "firmware.h"

static u64 fw_bytes_to_save(struct fw_vf *vf, bool is_incremental)
{
	if (!is_incremental || !vf->tracking.on)
		return sizeof(struct fw_image) + vf->size;
	if (bitmap_empty(vf->dirty, vf->pages) && !vf->responder_suspended)
		return 0;
	return fw_image_bytes(vf, vf->dirty);
}

int fw_query(struct fw_vf *vf, const void *in, void *out)
{
	bool is_incremental = MLX5_GET(query_vhca_migration_state_in, in, incremental);
	u64 bytes;

	lockdep_assert_held(&vf->lock);
	vf->is_chunk_mode = MLX5_GET(query_vhca_migration_state_in, in, chunk);
	bytes = fw_bytes_to_save(vf, is_incremental);
	if (bytes)
		bytes += vf->estimate_slack;
	MLX5_SET64(query_vhca_migration_state_out, out, remaining_total_size, bytes);
	if (vf->is_chunk_mode)
		bytes = min(bytes, vf->chunk_size);
	MLX5_SET(query_vhca_migration_state_out, out, required_umem_size, bytes);
	fw_set_migration_state(out, vf->reinit);
	return 0;
}
