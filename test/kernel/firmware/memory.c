// SPDX-License-Identifier: GPL-2.0-only
/*
 * Protection domains and memory keys: the buffers that the driver lends to its
 * firmware. No IOMMU is between them, so that a bus address is a physical one.
 */
#include <linux/io.h>
#include <linux/mlx5/device.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include "firmware.h"

struct fw_memory {
	u32 pages;
	u64 addresses[] __counted_by(pages);
};

/* As real ones do, memory keys have room for a tag in their low byte. */
#define FW_MKEY_TAG_BITS 8

static DEFINE_XARRAY_ALLOC1(fw_mkeys);
static atomic_t fw_pds = ATOMIC_INIT(0);

/* The key stays valid while the command runs: its driver waits for it. */
const struct fw_memory *fw_memory_get(u32 mkey)
{
	return xa_load(&fw_mkeys, mkey >> FW_MKEY_TAG_BITS);
}

u64 fw_memory_bytes(const struct fw_memory *memory)
{
	return memory ? (u64)memory->pages * PAGE_SIZE : 0;
}

void *fw_memory_at(const struct fw_memory *memory, u64 offset, u32 *bytes)
{
	*bytes = PAGE_SIZE - offset_in_page(offset);
	return phys_to_virt(memory->addresses[offset >> PAGE_SHIFT]) + offset_in_page(offset);
}

void fw_memory_show(struct seq_file *seq)
{
	unsigned long index, mkeys = 0;
	struct fw_memory *memory;

	xa_for_each(&fw_mkeys, index, memory)
		mkeys++;
	seq_printf(seq, "%d %lu\n", atomic_read(&fw_pds), mkeys);
}

void fw_memory_exit(void)
{
	WARN(atomic_read(&fw_pds), "%d protection domains are left\n", atomic_read(&fw_pds));
	WARN(!xa_empty(&fw_mkeys), "memory keys are left\n");
	xa_destroy(&fw_mkeys);
}

static int fw_suffer(struct mlx5_core_dev *mdev, enum fw_point point)
{
	struct fw_pf *pf = fw_pf_of(mdev);

	return fw_result_to_errno(fw_fault_suffer(&pf->faults, fw_faults_take(&pf->faults, point)));
}

int mlx5_core_alloc_pd(struct mlx5_core_dev *dev, u32 *pdn)
{
	int ret = fw_suffer(dev, FW_ALLOC_PD);

	if (ret)
		return ret;
	*pdn = atomic_inc_return(&fw_pds);
	return 0;
}
EXPORT_SYMBOL(mlx5_core_alloc_pd);

int mlx5_core_dealloc_pd(struct mlx5_core_dev *dev, u32 pdn)
{
	atomic_dec(&fw_pds);
	return 0;
}
EXPORT_SYMBOL(mlx5_core_dealloc_pd);

int mlx5_core_create_mkey(struct mlx5_core_dev *dev, u32 *mkey, u32 *in, int inlen)
{
	void *context = MLX5_ADDR_OF(create_mkey_in, in, memory_key_mkey_entry);
	const __be64 *addresses = MLX5_ADDR_OF(create_mkey_in, in, klm_pas_mtt);
	u32 pages = MLX5_GET64(mkc, context, len) >> PAGE_SHIFT;
	struct fw_memory *memory;
	u32 index, i;
	int ret;

	ret = fw_suffer(dev, FW_CREATE_MKEY);
	if (ret)
		return ret;
	if (inlen < MLX5_ST_SZ_BYTES(create_mkey_in) + pages * sizeof(*addresses))
		return -EINVAL;
	memory = kvmalloc(struct_size(memory, addresses, pages), GFP_KERNEL);
	if (!memory)
		return -ENOMEM;
	memory->pages = pages;
	for (i = 0; i < pages; i++)
		memory->addresses[i] = be64_to_cpu(addresses[i]);
	ret = xa_alloc(&fw_mkeys, &index, memory,
		       XA_LIMIT(1, U32_MAX >> FW_MKEY_TAG_BITS), GFP_KERNEL);
	if (ret) {
		kvfree(memory);
		return ret;
	}
	*mkey = index << FW_MKEY_TAG_BITS;
	return 0;
}
EXPORT_SYMBOL(mlx5_core_create_mkey);

int mlx5_core_destroy_mkey(struct mlx5_core_dev *dev, u32 mkey)
{
	struct fw_memory *memory = xa_erase(&fw_mkeys, mkey >> FW_MKEY_TAG_BITS);

	if (!memory)
		return -EINVAL;
	kvfree(memory);
	return 0;
}
EXPORT_SYMBOL(mlx5_core_destroy_mkey);
