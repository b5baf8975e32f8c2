// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the driver asks before it says that a function can migrate: a PF's
 * capabilities, which function is whose, and that the PF goes away.
 */
#include <linux/mlx5/device.h>
#include <linux/mlx5/vport.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "compat.h"
#include "firmware.h"

static const enum mlx5_cap_type fw_cap_types[] = {
	MLX5_CAP_GENERAL,
	MLX5_CAP_GENERAL_2,
	MLX5_CAP_ADV_VIRTUALIZATION,
};

int fw_caps_init(struct fw_pf *pf)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(fw_cap_types); i++) {
		struct mlx5_hca_cap *cap = kzalloc(sizeof(*cap), GFP_KERNEL);

		if (!cap)
			return -ENOMEM;
		pf->mdev->caps.hca[fw_cap_types[i]] = cap;
	}
	pf->migration = true;
	pf->migration_multi_load = true;
	pf->migration_tracking_state = true;
	return 0;
}

void fw_caps_free(struct fw_pf *pf)
{
	int i;

	if (!pf->mdev)
		return;
	for (i = 0; i < ARRAY_SIZE(fw_cap_types); i++)
		kfree(pf->mdev->caps.hca[fw_cap_types[i]]);
}

/* What the DMA tracker can do: pages of 4 KiB to 2 MiB, in up to 4 TiB. */
static void fw_set_tracker_caps(void *cap)
{
	MLX5_SET(adv_virtualization_cap, cap, pg_track_max_num_range, FW_TRACKER_RANGES);
	MLX5_SET(adv_virtualization_cap, cap, pg_track_log_min_addr_space, 12);
	MLX5_SET(adv_virtualization_cap, cap, pg_track_log_max_addr_space, 42);
	MLX5_SET(adv_virtualization_cap, cap, pg_track_log_min_msg_size, 12);
	MLX5_SET(adv_virtualization_cap, cap, pg_track_log_max_msg_size, 12);
	MLX5_SET(adv_virtualization_cap, cap, pg_track_log_min_page_size, 12);
	MLX5_SET(adv_virtualization_cap, cap, pg_track_log_max_page_size, 21);
}

/* A driver looks at these when it is bound to a function, and not again. */
static void fw_apply_caps(struct fw_pf *pf)
{
	void *general = pf->mdev->caps.hca[MLX5_CAP_GENERAL]->cur;
	void *general_2 = pf->mdev->caps.hca[MLX5_CAP_GENERAL_2]->cur;

	fw_set_tracker_caps(pf->mdev->caps.hca[MLX5_CAP_ADV_VIRTUALIZATION]->cur);
	MLX5_SET(cmd_hca_cap, general, adv_virtualization, pf->adv_virtualization);
	MLX5_SET(cmd_hca_cap, general, migration, pf->migration);
	MLX5_SET(cmd_hca_cap_2, general_2, migration_multi_load, pf->migration_multi_load);
	MLX5_SET(cmd_hca_cap_2, general_2, migration_tracking_state,
		 pf->migration_tracking_state);
	MLX5_SET(cmd_hca_cap_2, general_2, migration_in_chunks, pf->migration_in_chunks);
	fw_set_migration_state_cap(general_2, pf->migration_state);
}

struct mlx5_core_dev *mlx5_vf_get_core_dev(struct pci_dev *pdev)
{
	struct fw_vf *vf = fw_vf_of(pdev);

	if (!vf)
		return NULL;
	fw_apply_caps(vf->pf);
	return vf->pf->mdev;
}
EXPORT_SYMBOL(mlx5_vf_get_core_dev);

void mlx5_vf_put_core_dev(struct mlx5_core_dev *mdev)
{
}
EXPORT_SYMBOL(mlx5_vf_put_core_dev);

/* The first function of a PF that can be asked about is the PF itself. */
struct fw_vf *fw_vf_by_function_id(const struct mlx5_core_dev *mdev, u16 function_id)
{
	struct fw_vf *vf;

	list_for_each_entry(vf, &fw_vfs, entry)
		if (vf->pf->mdev == mdev && vf->index + 1 == function_id)
			return vf;
	return NULL;
}

int mlx5_vport_get_other_func_cap(struct mlx5_core_dev *dev, u16 vport, void *out, u16 opmod)
{
	struct fw_vf *vf = fw_vf_by_function_id(dev, vport);
	void *cap = MLX5_ADDR_OF(query_hca_cap_out, out, capability);

	if (!vf || opmod != MLX5_CAP_GENERAL_2)
		return -EINVAL;
	MLX5_SET(cmd_hca_cap_2, cap, migratable, vf->migratable);
	return 0;
}
EXPORT_SYMBOL(mlx5_vport_get_other_func_cap);

static struct fw_vf *fw_vf_by_index(const struct mlx5_core_dev *mdev, int vf_id)
{
	return fw_vf_by_function_id(mdev, vf_id + 1);
}

int mlx5_sriov_blocking_notifier_register(struct mlx5_core_dev *mdev, int vf_id,
					  struct notifier_block *nb)
{
	struct fw_vf *vf = fw_vf_by_index(mdev, vf_id);

	return vf ? blocking_notifier_chain_register(&vf->notifiers, nb) : -EINVAL;
}
EXPORT_SYMBOL(mlx5_sriov_blocking_notifier_register);

void mlx5_sriov_blocking_notifier_unregister(struct mlx5_core_dev *mdev, int vf_id,
					     struct notifier_block *nb)
{
	struct fw_vf *vf = fw_vf_by_index(mdev, vf_id);

	if (vf)
		blocking_notifier_chain_unregister(&vf->notifiers, nb);
}
EXPORT_SYMBOL(mlx5_sriov_blocking_notifier_unregister);

/* What the PF's driver does to its functions when it takes them down, and when it is back. */
void fw_pf_attach(struct fw_pf *pf, bool attach)
{
	unsigned long event = attach ? MLX5_PF_NOTIFY_ENABLE_VF : MLX5_PF_NOTIFY_DISABLE_VF;
	static DEFINE_MUTEX(one_at_a_time);
	struct fw_vf *vf;

	guard(mutex)(&one_at_a_time);
	if (pf->attached == attach)
		return;
	pf->attached = attach;
	list_for_each_entry(vf, &fw_vfs, entry)
		if (vf->pf == pf)
			blocking_notifier_call_chain(&vf->notifiers, event, NULL);
}
