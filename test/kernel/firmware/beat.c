// SPDX-License-Identifier: GPL-2.0-only
/*
 * Beats: what a running function does to the memory of its user, by DMA through
 * the function's own IOMMU domain, and by its own MSI-X vectors.
 */
#include <linux/interrupt.h>
#include <linux/io.h>
#include <linux/iommu.h>
#include <linux/irq.h>
#include <linux/mm.h>

#include "firmware.h"

struct fw_beat {
	__le64 counter, seed, epoch, digest;
};

static bool fw_has_window(const struct fw_vf *vf)
{
	return vf->window.vector != FW_NO_WINDOW;
}

/* Where an address of the function's leads in memory: 0 for nowhere, and for another device's registers. */
static phys_addr_t fw_memory_behind(struct iommu_domain *domain, u64 iova)
{
	phys_addr_t address = iommu_iova_to_phys(domain, iova);

	return pfn_valid(PHYS_PFN(address)) ? address : 0;
}

/* All of it or nothing, though it may lie in two pages that are not neighbours. */
static bool fw_write_dma(struct iommu_domain *domain, u64 iova, const void *from, size_t bytes)
{
	size_t in_first = min_t(size_t, bytes, PAGE_SIZE - offset_in_page(iova));
	phys_addr_t first = domain ? fw_memory_behind(domain, iova) : 0;
	phys_addr_t second = 0;

	if (first && bytes > in_first)
		second = fw_memory_behind(domain, iova + in_first);
	if (!first || (bytes > in_first && !second))
		return false;
	memcpy(phys_to_virt(first), from, in_first);
	if (bytes > in_first)
		memcpy(phys_to_virt(second), from + in_first, bytes - in_first);
	return true;
}

/* Returns the interrupt that the vector raises now, 0 when it raises none. */
static unsigned int fw_irq_of(struct fw_vf *vf, u32 vector)
{
	struct irq_data *data;
	int irq;

	if (!vf->pdev->msix_enabled)
		return 0;
	irq = pci_irq_vector(vf->pdev, vector);
	if (irq <= 0 || !irq_has_action(irq))
		return 0;
	data = irq_get_irq_data(irq);
	return data && !irqd_irq_masked(data) && !irqd_irq_disabled(data) ? irq : 0;
}

/* Interrupt handlers want to be called in hard-irq context. */
static void fw_raise(struct irq_work *work)
{
	struct fw_vf *vf = container_of(work, struct fw_vf, interrupt);

	generic_handle_irq(vf->irq);
}

static bool fw_beats(const struct fw_vf *vf)
{
	return fw_workload_runs(vf) && fw_has_window(vf) && vf->beat_ms;
}

static bool fw_write_beat(struct fw_vf *vf, const struct fw_snapshot *snapshot)
{
	struct fw_beat beat = {
		.counter = cpu_to_le64(vf->beats_written + 1),
		.seed = cpu_to_le64(snapshot->seed),
		.epoch = cpu_to_le64(snapshot->epoch),
		.digest = cpu_to_le64(snapshot->digest),
	};

	if (!(vf->pci_command & PCI_COMMAND_MASTER)) {
		vf->beats_not_master++;
		return false;
	}
	if (!fw_write_dma(iommu_get_domain_for_dev(&vf->pdev->dev), vf->window.iova, &beat,
			  sizeof(beat))) {
		vf->beats_unmapped++;
		return false;
	}
	fw_tracker_mark_iova(vf, vf->window.iova);
	fw_tracker_mark_iova(vf, vf->window.iova + sizeof(beat) - 1);
	vf->beats_written++;
	return true;
}

static void fw_beat(struct fw_vf *vf)
{
	unsigned int irq = fw_irq_of(vf, READ_ONCE(vf->window.vector));
	unsigned int resets = READ_ONCE(vf->resets);
	struct fw_snapshot snapshot;
	bool is_written = false;

	if (fw_state_digest(vf, &snapshot))
		return;
	/* The lock keeps a reset away, and with it the end of the IOMMU domain. */
	spin_lock_irq(&vf->lock);
	if (fw_beats(vf) && resets == vf->resets)
		is_written = fw_write_beat(vf, &snapshot);
	if (is_written && !irq)
		vf->beats_masked++;
	spin_unlock_irq(&vf->lock);
	if (!is_written || !irq)
		return;
	vf->irq = irq;
	irq_work_queue(&vf->interrupt);
	irq_work_sync(&vf->interrupt);
}

static void fw_beat_work(struct work_struct *work)
{
	struct fw_vf *vf = container_of(work, struct fw_vf, beat.work);
	bool goes_on;

	spin_lock_irq(&vf->lock);
	fw_workload_sync(vf);
	goes_on = fw_beats(vf);
	spin_unlock_irq(&vf->lock);
	if (!goes_on)
		return;
	mutex_lock(&vf->knobs);
	fw_beat(vf);
	mutex_unlock(&vf->knobs);
	fw_beat_schedule(vf);
}

/* Whatever may have been what the beats were waiting for. In any context. */
void fw_beat_schedule(struct fw_vf *vf)
{
	if (fw_beats(vf))
		queue_delayed_work(fw_queue, &vf->beat, msecs_to_jiffies(vf->beat_ms));
}

void fw_beat_init(struct fw_vf *vf)
{
	vf->beat_ms = 10;
	INIT_DELAYED_WORK(&vf->beat, fw_beat_work);
	vf->interrupt = IRQ_WORK_INIT_HARD(fw_raise);
}

void fw_beat_exit(struct fw_vf *vf)
{
	cancel_delayed_work_sync(&vf->beat);
	irq_work_sync(&vf->interrupt);
}
