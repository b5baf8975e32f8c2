// SPDX-License-Identifier: GPL-2.0-only
/*
 * The state of a function: a version of each page, from which its contents
 * follow, and the digest of it all.
 */
#include <linux/bitmap.h>
#include <linux/mm.h>
#include <linux/sizes.h>

#include "firmware.h"

u32 fw_mix(u32 x)
{
	x ^= x >> 16;
	x *= 0x85ebca6b;
	x ^= x >> 13;
	x *= 0xc2b2ae35;
	x ^= x >> 16;
	return x;
}

u32 fw_pages_of(u64 size)
{
	return DIV_ROUND_UP_ULL(size, FW_PAGE);
}

u32 fw_page_bytes(u64 size, u32 page)
{
	return min_t(u64, FW_PAGE, size - (u64)page * FW_PAGE);
}

void fw_state_reset(struct fw_vf *vf)
{
	vf->seed = vf->own_seed;
	vf->epoch = 0;
	memset(vf->versions, 0, vf->pages * sizeof(*vf->versions));
	vf->window = (struct fw_window){ .vector = FW_NO_WINDOW };
	vf->initiator_suspended = false;
	vf->responder_suspended = false;
	vf->loading = (struct fw_loading){};
	vf->tracking = (struct fw_tracking){};
	vf->reinit = false;
}

void fw_state_free(struct fw_vf *vf)
{
	kvfree(vf->versions);
	bitmap_free(vf->dirty);
	bitmap_free(vf->remaining);
}

/* The size is fixed while the function is open: its driver has asked for it. */
int fw_state_resize(struct fw_vf *vf, u64 size)
{
	u32 pages = fw_pages_of(size);
	unsigned long *dirty, *remaining;
	u32 *versions;
	int ret = 0;

	if (size < SZ_1K || size > SZ_1G || size % SZ_1K)
		return -EINVAL;
	versions = kvcalloc(pages, sizeof(*versions), GFP_KERNEL);
	dirty = bitmap_zalloc(pages, GFP_KERNEL);
	remaining = bitmap_zalloc(pages, GFP_KERNEL);
	if (!versions || !dirty || !remaining) {
		ret = -ENOMEM;
		goto out;
	}

	spin_lock_irq(&vf->lock);
	if (pci_is_enabled(vf->pdev)) {
		ret = -EBUSY;
	} else {
		swap(vf->versions, versions);
		swap(vf->dirty, dirty);
		swap(vf->remaining, remaining);
		vf->size = size;
		vf->pages = pages;
		vf->working_set = size;
		fw_state_reset(vf);
	}
	spin_unlock_irq(&vf->lock);
out:
	kvfree(versions);
	bitmap_free(dirty);
	bitmap_free(remaining);
	return ret;
}

struct fw_digest {
	u32 a, b;
};

static void fw_digest_add(struct fw_digest *digest, u32 item)
{
	digest->a = fw_mix(digest->a ^ item);
	digest->b = fw_mix(digest->b + item * 0x9e3779b1u + 1);
}

static void fw_digest_add_u64(struct fw_digest *digest, u64 item)
{
	fw_digest_add(digest, lower_32_bits(item));
	fw_digest_add(digest, upper_32_bits(item));
}

/* Of a copy: the function goes on meanwhile, and interrupts stay on. */
int fw_state_digest(struct fw_vf *vf, struct fw_snapshot *snapshot)
{
	struct fw_digest digest = { .a = 0x811c9dc5, .b = 0x9747b28c };
	u32 *versions;
	u64 size;
	u32 page;

	lockdep_assert_held(&vf->knobs);
	versions = kvmalloc_array(vf->pages, sizeof(*versions), GFP_KERNEL);
	if (!versions)
		return -ENOMEM;

	spin_lock_irq(&vf->lock);
	fw_workload_sync(vf);
	size = vf->size;
	snapshot->seed = vf->seed;
	snapshot->epoch = vf->epoch;
	memcpy(versions, vf->versions, vf->pages * sizeof(*versions));
	spin_unlock_irq(&vf->lock);

	fw_digest_add_u64(&digest, size);
	fw_digest_add_u64(&digest, snapshot->seed);
	fw_digest_add_u64(&digest, snapshot->epoch);
	for (page = 0; page < fw_pages_of(size); page++)
		fw_digest_add(&digest, versions[page]);
	kvfree(versions);
	snapshot->digest = (u64)digest.a << 32 | digest.b;
	return 0;
}
