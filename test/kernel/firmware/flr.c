// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sees what the kernel does to a function's configuration space: a
 * function-level reset resets its state at once, and whether the function may
 * master the bus is known without asking.
 *
 * The first access after a close finds the function disabled, as does the one
 * that is the first of an open: so each life of the state ends where it should.
 */
#include <linux/pci.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>

#include "firmware.h"

struct fw_bus {
	struct list_head entry;
	struct pci_bus *bus;
	struct pci_ops *original;
	struct pci_ops ops;
};

static LIST_HEAD(fw_buses);

static struct pci_ops *fw_original(const struct pci_bus *bus)
{
	return container_of(bus->ops, struct fw_bus, ops)->original;
}

static struct fw_vf *fw_vf_at(const struct pci_bus *bus, unsigned int devfn)
{
	struct fw_vf *vf;

	list_for_each_entry(vf, &fw_vfs, entry)
		if (vf->pdev->bus == bus && vf->pdev->devfn == devfn)
			return vf;
	return NULL;
}

static void fw_reset(struct fw_vf *vf)
{
	fw_workload_sync(vf);
	fw_workload_stop(vf);
	fw_state_reset(vf);
	vf->pci_command = 0;
	vf->resets++;
	vf->is_open = pci_is_enabled(vf->pdev);
	fw_workload_start(vf);
}

static bool fw_is_flr(const struct fw_vf *vf, int where, u32 value)
{
	return vf->pdev->pcie_cap && where == vf->pdev->pcie_cap + PCI_EXP_DEVCTL &&
	       (value & PCI_EXP_DEVCTL_BCR_FLR);
}

static int fw_config_read(struct pci_bus *bus, unsigned int devfn, int where, int size, u32 *value)
{
	struct fw_vf *vf = fw_vf_at(bus, devfn);
	unsigned long flags;

	if (vf && !pci_is_enabled(vf->pdev)) {
		spin_lock_irqsave(&vf->lock, flags);
		fw_workload_sync(vf);
		spin_unlock_irqrestore(&vf->lock, flags);
	}
	return fw_original(bus)->read(bus, devfn, where, size, value);
}

static int fw_config_write(struct pci_bus *bus, unsigned int devfn, int where, int size, u32 value)
{
	int ret = fw_original(bus)->write(bus, devfn, where, size, value);
	struct fw_vf *vf = fw_vf_at(bus, devfn);
	unsigned long flags;

	if (!vf || ret)
		return ret;
	spin_lock_irqsave(&vf->lock, flags);
	if (where == PCI_COMMAND)
		vf->pci_command = value;
	if (fw_is_flr(vf, where, value))
		fw_reset(vf);
	spin_unlock_irqrestore(&vf->lock, flags);
	return ret;
}

static int fw_watch(struct pci_bus *bus)
{
	struct fw_bus *watched;

	list_for_each_entry(watched, &fw_buses, entry)
		if (watched->bus == bus)
			return 0;
	watched = kzalloc(sizeof(*watched), GFP_KERNEL);
	if (!watched)
		return -ENOMEM;
	watched->bus = bus;
	watched->original = bus->ops;
	watched->ops = *bus->ops;
	watched->ops.read = fw_config_read;
	watched->ops.write = fw_config_write;
	pci_bus_set_ops(bus, &watched->ops);
	list_add_tail(&watched->entry, &fw_buses);
	return 0;
}

int fw_flr_init(void)
{
	struct fw_vf *vf;

	list_for_each_entry(vf, &fw_vfs, entry) {
		int ret = fw_watch(vf->pdev->bus);

		if (ret) {
			fw_flr_exit();
			return ret;
		}
	}
	return 0;
}

void fw_flr_exit(void)
{
	struct fw_bus *watched, *next;

	list_for_each_entry(watched, &fw_buses, entry)
		pci_bus_set_ops(watched->bus, watched->original);
	/* Nobody holds a lock while calling them: who was preempted in one has to come out of it. */
	synchronize_rcu_tasks();
	list_for_each_entry_safe(watched, next, &fw_buses, entry) {
		list_del(&watched->entry);
		kfree(watched);
	}
}
