/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What differs between the kernels that the tests run on. Before 7.1 mlx5
 * firmware could not say that its state began anew, and has no bit for it.
 */
#ifndef VFIO_MIGRATE_COMPAT_H
#define VFIO_MIGRATE_COMPAT_H

#include <linux/version.h>
#include <linux/mlx5/driver.h>

#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 1, 0)

static inline void fw_set_migration_state_cap(void *cap, bool value)
{
	MLX5_SET(cmd_hca_cap_2, cap, migration_state, value);
}

static inline void fw_set_migration_state(void *out, bool is_init)
{
	MLX5_SET(query_vhca_migration_state_out, out, migration_state,
		 is_init ? MLX5_QUERY_VHCA_MIG_STATE_OPER_MIGRATION_INIT :
			   MLX5_QUERY_VHCA_MIG_STATE_OPER_MIGRATION_READY);
}

#else

static inline void fw_set_migration_state_cap(void *cap, bool value)
{
}

static inline void fw_set_migration_state(void *out, bool is_init)
{
}

#endif
#endif
