// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stands in for mlx5_core: exports what the kernel's mlx5_vfio_pci links, and
 * answers it with a simulated firmware for every SR-IOV function that there is
 * when the module is loaded, whatever device lends it.
 */
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/random.h>
#include <linux/slab.h>

#include "firmware.h"

#define FW_DEFAULT_SIZE SZ_1M
#define FW_DEFAULT_CHUNK_SIZE SZ_8M
#define FW_FIRST_VHCA_ID 0x101

LIST_HEAD(fw_pfs);
LIST_HEAD(fw_vfs);
struct workqueue_struct *fw_queue;

/* Lends its address space, which is the machine's own: no IOMMU translates it. */
static struct platform_device *fw_platform;

struct fw_vf *fw_vf_of(const struct pci_dev *pdev)
{
	struct fw_vf *vf;

	list_for_each_entry(vf, &fw_vfs, entry)
		if (vf->pdev == pdev)
			return vf;
	return NULL;
}

struct fw_vf *fw_vf_by_vhca_id(u16 vhca_id)
{
	struct fw_vf *vf;

	list_for_each_entry(vf, &fw_vfs, entry)
		if (vf->vhca_id == vhca_id)
			return vf;
	return NULL;
}

struct fw_pf *fw_pf_of(const struct mlx5_core_dev *mdev)
{
	struct fw_pf *pf;

	list_for_each_entry(pf, &fw_pfs, entry)
		if (pf->mdev == mdev)
			return pf;
	return NULL;
}

static void fw_remove_vf(struct fw_vf *vf)
{
	list_del(&vf->entry);
	fw_beat_exit(vf);
	fw_faults_clear(&vf->faults);
	fw_log_clear(&vf->commands);
	fw_log_clear(&vf->runs);
	fw_state_free(vf);
	pci_dev_put(vf->pdev);
	kfree(vf);
}

static void fw_remove_pf(struct fw_pf *pf)
{
	list_del(&pf->entry);
	fw_faults_clear(&pf->faults);
	fw_caps_free(pf);
	kvfree(pf->mdev);
	pci_dev_put(pf->pdev);
	kfree(pf);
}

static void fw_remove_all(void)
{
	struct fw_vf *vf, *next_vf;
	struct fw_pf *pf, *next_pf;

	list_for_each_entry_safe(vf, next_vf, &fw_vfs, entry)
		fw_remove_vf(vf);
	list_for_each_entry_safe(pf, next_pf, &fw_pfs, entry)
		fw_remove_pf(pf);
}

static struct fw_pf *fw_add_pf(struct pci_dev *pdev)
{
	struct fw_pf *pf;
	int ret;

	list_for_each_entry(pf, &fw_pfs, entry)
		if (pf->pdev == pdev)
			return pf;

	pf = kzalloc(sizeof(*pf), GFP_KERNEL);
	if (!pf)
		return ERR_PTR(-ENOMEM);
	pf->pdev = pci_dev_get(pdev);
	pf->attached = true;
	fw_faults_init(&pf->faults, FW_VF_POINTS, FW_POINTS);
	list_add_tail(&pf->entry, &fw_pfs);

	pf->mdev = kvzalloc(sizeof(*pf->mdev), GFP_KERNEL);
	if (!pf->mdev)
		return ERR_PTR(-ENOMEM);
	pf->mdev->device = &fw_platform->dev;
	pf->mdev->pdev = pdev;
	ret = fw_caps_init(pf);
	return ret ? ERR_PTR(ret) : pf;
}

static int fw_add_vf(struct pci_dev *pdev, u16 vhca_id)
{
	struct fw_pf *pf = fw_add_pf(pci_physfn(pdev));
	struct fw_vf *vf;

	if (IS_ERR(pf))
		return PTR_ERR(pf);
	vf = kzalloc(sizeof(*vf), GFP_KERNEL);
	if (!vf)
		return -ENOMEM;
	vf->pf = pf;
	vf->pdev = pci_dev_get(pdev);
	vf->index = pci_iov_vf_id(pdev);
	vf->vhca_id = vhca_id;
	vf->migratable = true;
	vf->chunk_size = FW_DEFAULT_CHUNK_SIZE;
	vf->own_seed = get_random_u64();
	mutex_init(&vf->knobs);
	spin_lock_init(&vf->lock);
	BLOCKING_INIT_NOTIFIER_HEAD(&vf->notifiers);
	fw_faults_init(&vf->faults, 0, FW_VF_POINTS);
	fw_log_init(&vf->commands);
	fw_log_init(&vf->runs);
	fw_beat_init(vf);
	list_add_tail(&vf->entry, &fw_vfs);
	return fw_state_resize(vf, FW_DEFAULT_SIZE);
}

static int fw_add_all(void)
{
	u16 vhca_id = FW_FIRST_VHCA_ID;
	struct pci_dev *pdev = NULL;
	int ret;

	for_each_pci_dev(pdev) {
		if (!pdev->is_virtfn)
			continue;
		ret = fw_add_vf(pdev, vhca_id++);
		if (ret) {
			pci_dev_put(pdev);
			return ret;
		}
	}
	return list_empty(&fw_vfs) ? -ENODEV : 0;
}

static int __init fw_init(void)
{
	int ret;

	fw_platform = platform_device_register_simple("vfio_migrate_firmware",
						      PLATFORM_DEVID_NONE, NULL, 0);
	if (IS_ERR(fw_platform))
		return PTR_ERR(fw_platform);
	ret = dma_coerce_mask_and_coherent(&fw_platform->dev, DMA_BIT_MASK(64));
	if (ret)
		goto err_platform;
	fw_queue = alloc_workqueue("vfio_migrate_firmware", WQ_UNBOUND, 0);
	if (!fw_queue) {
		ret = -ENOMEM;
		goto err_platform;
	}
	ret = fw_add_all();
	if (ret)
		goto err_functions;
	ret = fw_flr_init();
	if (ret)
		goto err_functions;
	fw_knobs_init();
	return 0;

err_functions:
	fw_remove_all();
	destroy_workqueue(fw_queue);
err_platform:
	platform_device_unregister(fw_platform);
	return ret;
}

static void __exit fw_exit(void)
{
	fw_knobs_exit();
	fw_flr_exit();
	fw_remove_all();
	destroy_workqueue(fw_queue);
	fw_memory_exit();
	platform_device_unregister(fw_platform);
}

module_init(fw_init);
module_exit(fw_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("A simulated firmware under the kernel's own mlx5_vfio_pci");
