// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asks the kernel's own vfio_mig_get_next_state() for every pair of states on
 * devices of every kind, and answers in /sys/kernel/debug/vfio_next_state: a
 * line "FLAGS FROM TO ANSWER" each, ANSWER the next state or -errno.
 *
 * For a row that the device's flags do not allow, the kernel warns.
 */
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/vfio.h>

static const u64 kinds[] = {
	VFIO_MIGRATION_STOP_COPY,
	VFIO_MIGRATION_STOP_COPY | VFIO_MIGRATION_P2P,
	VFIO_MIGRATION_STOP_COPY | VFIO_MIGRATION_PRE_COPY,
	VFIO_MIGRATION_STOP_COPY | VFIO_MIGRATION_P2P | VFIO_MIGRATION_PRE_COPY,
};

#define NUM_STATES (VFIO_DEVICE_STATE_PRE_COPY_P2P + 1)

static struct dentry *file;

static int next_state(struct vfio_device *device, int from, int to)
{
	enum vfio_device_mig_state next;
	int ret = vfio_mig_get_next_state(device, from, to, &next);

	return ret ? ret : next;
}

static int vfio_next_state_show(struct seq_file *seq, void *unused)
{
	struct vfio_device *device;
	int kind, from, to;

	/* The function looks at migration_flags alone. */
	device = kzalloc(sizeof(*device), GFP_KERNEL);
	if (!device)
		return -ENOMEM;

	for (kind = 0; kind < ARRAY_SIZE(kinds); kind++) {
		device->migration_flags = kinds[kind];
		for (from = 0; from < NUM_STATES; from++)
			for (to = 0; to < NUM_STATES; to++)
				seq_printf(seq, "%llu %d %d %d\n", kinds[kind],
					   from, to,
					   next_state(device, from, to));
	}
	kfree(device);
	return 0;
}

/* Not single_open(): it would ask, and warn, again for each doubling of its buffer. */
static int vfio_next_state_open(struct inode *inode, struct file *filp)
{
	return single_open_size(filp, vfio_next_state_show, NULL, SZ_16K);
}

static const struct file_operations vfio_next_state_fops = {
	.owner = THIS_MODULE,
	.open = vfio_next_state_open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = single_release,
};

static int __init vfio_next_state_init(void)
{
	file = debugfs_create_file("vfio_next_state", 0400, NULL, NULL,
				   &vfio_next_state_fops);
	return PTR_ERR_OR_ZERO(file);
}

static void __exit vfio_next_state_exit(void)
{
	debugfs_remove(file);
}

module_init(vfio_next_state_init);
module_exit(vfio_next_state_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Answers with vfio_mig_get_next_state() for every pair of states");
