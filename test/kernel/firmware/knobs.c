// SPDX-License-Identifier: GPL-2.0-only
/*
 * The debugfs side: /sys/kernel/debug/vfio_migrate_firmware/ADDRESS/, one
 * directory for each function and each PF. README.md says what is in them.
 */
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "firmware.h"

struct fw_file {
	const char *name;
	umode_t mode;
	const struct file_operations *fops;
};

/* A number of a function that is more than a field. */
#define FW_VF_NUMBER(name, format)                                            \
	static int fw_get_##name(void *data, u64 *value)                      \
	{                                                                     \
		return fw_get_number(data, value, fw_##name##_of);            \
	}                                                                     \
	static int fw_set_##name(void *data, u64 value)                       \
	{                                                                     \
		return fw_set_number(data, value, fw_change_##name);          \
	}                                                                     \
	DEFINE_DEBUGFS_ATTRIBUTE(fw_##name##_fops, fw_get_##name, fw_set_##name, format)

/* Under the locks, of a function whose workload is up to date. */
static int fw_get_number(struct fw_vf *vf, u64 *value, u64 (*of)(struct fw_vf *vf))
{
	spin_lock_irq(&vf->lock);
	fw_workload_sync(vf);
	*value = of(vf);
	spin_unlock_irq(&vf->lock);
	return 0;
}

static int fw_set_number(struct fw_vf *vf, u64 value, int (*change)(struct fw_vf *vf, u64 value))
{
	int ret;

	spin_lock_irq(&vf->lock);
	fw_workload_sync(vf);
	ret = change(vf, value);
	spin_unlock_irq(&vf->lock);
	return ret;
}

static int fw_refuse_change(struct fw_vf *vf, u64 value)
{
	return -EPERM;
}

static u64 fw_seed_of(struct fw_vf *vf)
{
	return vf->seed;
}

/* The function's own, which an open function takes on with its next reset. */
static int fw_change_seed(struct fw_vf *vf, u64 value)
{
	vf->own_seed = value;
	if (!vf->is_open)
		fw_state_reset(vf);
	return 0;
}
FW_VF_NUMBER(seed, "%llu\n");

static u64 fw_rate_of(struct fw_vf *vf)
{
	return vf->rate;
}

static int fw_change_rate(struct fw_vf *vf, u64 value)
{
	if (value > FW_FASTEST)
		return -EINVAL;
	vf->rate = value;
	fw_workload_rebase(vf);
	return 0;
}
FW_VF_NUMBER(rate, "%llu\n");

static u64 fw_working_set_of(struct fw_vf *vf)
{
	return vf->working_set;
}

static int fw_change_working_set(struct fw_vf *vf, u64 value)
{
	if (!value || value > vf->size)
		return -EINVAL;
	vf->working_set = value;
	return 0;
}
FW_VF_NUMBER(working_set, "%llu\n");

static u64 fw_chunk_size_of(struct fw_vf *vf)
{
	return vf->chunk_size;
}

/* At least one page has to fit into a chunk, and the buffer's size is 32 bits wide. */
static int fw_change_chunk_size(struct fw_vf *vf, u64 value)
{
	if (value < sizeof(struct fw_image) + FW_PAGE || value > U32_MAX - FW_PAGE)
		return -EINVAL;
	vf->chunk_size = value;
	return 0;
}
FW_VF_NUMBER(chunk_size, "%llu\n");

static u64 fw_estimate_slack_of(struct fw_vf *vf)
{
	return vf->estimate_slack;
}

static int fw_change_estimate_slack(struct fw_vf *vf, u64 value)
{
	if (value > FW_MOST_SLACK)
		return -EINVAL;
	vf->estimate_slack = value;
	return 0;
}
FW_VF_NUMBER(estimate_slack, "%llu\n");

static u64 fw_step_of(struct fw_vf *vf)
{
	return vf->epoch;
}

static int fw_change_step(struct fw_vf *vf, u64 value)
{
	return fw_workload_step(vf, value);
}
FW_VF_NUMBER(step, "%llu\n");

static u64 fw_epoch_of(struct fw_vf *vf)
{
	return vf->epoch;
}
#define fw_change_epoch fw_refuse_change
FW_VF_NUMBER(epoch, "%llu\n");

static u64 fw_running_of(struct fw_vf *vf)
{
	return fw_workload_runs(vf);
}
#define fw_change_running fw_refuse_change
FW_VF_NUMBER(running, "%llu\n");

static u64 fw_reinit_of(struct fw_vf *vf)
{
	return vf->reinit;
}

static int fw_change_reinit(struct fw_vf *vf, u64 value)
{
	if (value != 1)
		return -EINVAL;
	vf->reinit = true;
	fw_mark_all(vf, vf->dirty);
	return 0;
}
FW_VF_NUMBER(reinit, "%llu\n");

static u64 fw_beat_of(struct fw_vf *vf)
{
	return vf->beat_ms;
}

static int fw_change_beat(struct fw_vf *vf, u64 value)
{
	if (value > MSEC_PER_SEC)
		return -EINVAL;
	vf->beat_ms = value;
	fw_beat_schedule(vf);
	return 0;
}
FW_VF_NUMBER(beat, "%llu\n");

static int fw_get_size(void *data, u64 *value)
{
	*value = ((struct fw_vf *)data)->size;
	return 0;
}

static int fw_set_size(void *data, u64 value)
{
	struct fw_vf *vf = data;
	int ret;

	mutex_lock(&vf->knobs);
	ret = fw_state_resize(vf, value);
	mutex_unlock(&vf->knobs);
	return ret;
}
DEFINE_DEBUGFS_ATTRIBUTE(fw_size_fops, fw_get_size, fw_set_size, "%llu\n");

/* Files of text: a show function, and one that takes what is written. */
#define FW_TEXT(name)                                                                    \
	static int fw_##name##_open(struct inode *inode, struct file *file)              \
	{                                                                                \
		return single_open(file, fw_##name##_show, inode->i_private);            \
	}                                                                                \
	static ssize_t fw_##name##_write(struct file *file, const char __user *from,     \
					 size_t bytes, loff_t *position)                 \
	{                                                                                \
		return fw_write_text(file, from, bytes, fw_##name##_take);               \
	}                                                                                \
	static const struct file_operations fw_##name##_fops = {                         \
		.owner = THIS_MODULE,                                                    \
		.open = fw_##name##_open,                                                \
		.read = seq_read,                                                        \
		.write = fw_##name##_write,                                              \
		.llseek = seq_lseek,                                                     \
		.release = single_release,                                               \
	}

static ssize_t fw_write_text(struct file *file, const char __user *from, size_t bytes,
			     int (*take)(void *data, char *text))
{
	struct seq_file *seq = file->private_data;
	char *text;
	int ret;

	if (bytes > PAGE_SIZE)
		return -EINVAL;
	text = memdup_user_nul(from, bytes);
	if (IS_ERR(text))
		return PTR_ERR(text);
	ret = take(seq->private, text);
	kfree(text);
	return ret ?: bytes;
}

static int fw_refuse_text(void *data, char *text)
{
	return -EPERM;
}

static int fw_digest_show(struct seq_file *seq, void *unused)
{
	struct fw_vf *vf = seq->private;
	struct fw_snapshot snapshot;
	int ret;

	mutex_lock(&vf->knobs);
	ret = fw_state_digest(vf, &snapshot);
	mutex_unlock(&vf->knobs);
	if (!ret)
		seq_printf(seq, "%016llx %llu %llu\n", snapshot.digest, snapshot.epoch,
			   snapshot.seed);
	return ret;
}
#define fw_digest_take fw_refuse_text
FW_TEXT(digest);

static int fw_window_show(struct seq_file *seq, void *unused)
{
	struct fw_vf *vf = seq->private;

	spin_lock_irq(&vf->lock);
	if (vf->window.vector == FW_NO_WINDOW)
		seq_puts(seq, "none\n");
	else
		seq_printf(seq, "0x%llx %u\n", vf->window.iova, vf->window.vector);
	spin_unlock_irq(&vf->lock);
	return 0;
}

static int fw_window_take(void *data, char *text)
{
	struct fw_window window = { .vector = FW_NO_WINDOW };
	char *iova = strsep(&text, " ");
	struct fw_vf *vf = data;

	if (text ? kstrtou64(iova, 0, &window.iova) || kstrtou32(text, 10, &window.vector) :
		   !sysfs_streq(iova, "none"))
		return -EINVAL;
	spin_lock_irq(&vf->lock);
	vf->window = window;
	fw_beat_schedule(vf);
	spin_unlock_irq(&vf->lock);
	return 0;
}
FW_TEXT(window);

static int fw_beats_show(struct seq_file *seq, void *unused)
{
	struct fw_vf *vf = seq->private;

	seq_printf(seq, "written %llu\nnot_master %llu\nunmapped %llu\nmasked %llu\n",
		   vf->beats_written, vf->beats_not_master, vf->beats_unmapped, vf->beats_masked);
	return 0;
}
#define fw_beats_take fw_refuse_text
FW_TEXT(beats);

static int fw_commands_show(struct seq_file *seq, void *unused)
{
	struct fw_vf *vf = seq->private;

	fw_log_show(&vf->commands, seq);
	return 0;
}

static int fw_commands_take(void *data, char *text)
{
	struct fw_vf *vf = data;

	if (!sysfs_streq(text, ""))
		return -EINVAL;
	fw_log_clear(&vf->commands);
	return 0;
}
FW_TEXT(commands);

/* Those that are over, and the one that goes on. */
static int fw_runs_show(struct seq_file *seq, void *unused)
{
	struct fw_vf *vf = seq->private;

	fw_log_show(&vf->runs, seq);
	spin_lock_irq(&vf->lock);
	fw_workload_sync(vf);
	if (vf->run_is_open && vf->epoch > vf->run.first)
		seq_printf(seq, "seed=%llu first=%llu after=%llu begin=%llu end=now\n",
			   vf->run.seed, vf->run.first, vf->epoch, vf->run.begin_ns);
	spin_unlock_irq(&vf->lock);
	return 0;
}

static int fw_runs_take(void *data, char *text)
{
	struct fw_vf *vf = data;

	if (!sysfs_streq(text, ""))
		return -EINVAL;
	fw_log_clear(&vf->runs);
	return 0;
}
FW_TEXT(runs);

/* A PF's and a function's: the data is the struct fw_faults. */
static int fw_faults_file_show(struct seq_file *seq, void *unused)
{
	fw_faults_show(seq->private, seq);
	return 0;
}

/* One fault a line; an empty line takes all of them back. */
static int fw_faults_file_take(void *data, char *text)
{
	if (sysfs_streq(text, "")) {
		fw_faults_clear(data);
		return 0;
	}
	return fw_faults_add(data, text);
}
FW_TEXT(faults_file);

static int fw_get_held(void *data, u64 *value)
{
	*value = atomic_read(&((struct fw_faults *)data)->held);
	return 0;
}

static int fw_set_held(void *data, u64 value)
{
	if (value)
		return -EINVAL;
	fw_faults_release(data);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(fw_held_fops, fw_get_held, fw_set_held, "%llu\n");

static int fw_objects_show(struct seq_file *seq, void *unused)
{
	fw_memory_show(seq);
	return 0;
}
#define fw_objects_take fw_refuse_text
FW_TEXT(objects);

static int fw_get_attached(void *data, u64 *value)
{
	*value = ((struct fw_pf *)data)->attached;
	return 0;
}

static int fw_set_attached(void *data, u64 value)
{
	if (value > 1)
		return -EINVAL;
	fw_pf_attach(data, value);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(fw_attached_fops, fw_get_attached, fw_set_attached, "%llu\n");

static int fw_get_latency(void *data, u64 *value)
{
	*value = READ_ONCE(*(u64 *)data);
	return 0;
}

static int fw_set_latency(void *data, u64 value)
{
	if (value > FW_LONGEST_US)
		return -EINVAL;
	WRITE_ONCE(*(u64 *)data, value);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(fw_latency_fops, fw_get_latency, fw_set_latency, "%llu\n");

static const struct fw_file fw_vf_files[] = {
	{ "size", 0600, &fw_size_fops },
	{ "seed", 0600, &fw_seed_fops },
	{ "rate", 0600, &fw_rate_fops },
	{ "working_set", 0600, &fw_working_set_fops },
	{ "chunk_size", 0600, &fw_chunk_size_fops },
	{ "estimate_slack", 0600, &fw_estimate_slack_fops },
	{ "step", 0200, &fw_step_fops },
	{ "epoch", 0400, &fw_epoch_fops },
	{ "running", 0400, &fw_running_fops },
	{ "digest", 0400, &fw_digest_fops },
	{ "reinit", 0600, &fw_reinit_fops },
	{ "window", 0600, &fw_window_fops },
	{ "beat", 0600, &fw_beat_fops },
	{ "beats", 0400, &fw_beats_fops },
	{ "commands", 0600, &fw_commands_fops },
	{ "runs", 0600, &fw_runs_fops },
};

static struct dentry *fw_root;

static void fw_create_faults(struct dentry *directory, struct fw_faults *faults)
{
	debugfs_create_file("faults", 0600, directory, faults, &fw_faults_file_fops);
	debugfs_create_file("held", 0600, directory, faults, &fw_held_fops);
}

static void fw_create_times(struct fw_vf *vf, struct dentry *directory)
{
	struct dentry *latency = debugfs_create_dir("latency", directory);
	struct dentry *bandwidth = debugfs_create_dir("bandwidth", directory);
	int point;

	for (point = 0; point < FW_VF_POINTS; point++)
		debugfs_create_file(fw_point_names[point], 0600, latency, &vf->latency_us[point],
				    &fw_latency_fops);
	debugfs_create_u64("SAVE", 0600, bandwidth, &vf->bandwidth[FW_SAVE]);
	debugfs_create_u64("LOAD", 0600, bandwidth, &vf->bandwidth[FW_LOAD]);
}

static void fw_create_vf(struct fw_vf *vf)
{
	struct dentry *directory = debugfs_create_dir(pci_name(vf->pdev), fw_root);
	int i;

	for (i = 0; i < ARRAY_SIZE(fw_vf_files); i++)
		debugfs_create_file(fw_vf_files[i].name, fw_vf_files[i].mode, directory, vf,
				    fw_vf_files[i].fops);
	debugfs_create_u32("resets", 0400, directory, &vf->resets);
	debugfs_create_bool("migratable", 0600, directory, &vf->migratable);
	fw_create_faults(directory, &vf->faults);
	fw_create_times(vf, directory);
}

static void fw_create_pf(struct fw_pf *pf)
{
	struct dentry *directory = debugfs_create_dir(pci_name(pf->pdev), fw_root);

	debugfs_create_bool("migration", 0600, directory, &pf->migration);
	debugfs_create_bool("migration_multi_load", 0600, directory, &pf->migration_multi_load);
	debugfs_create_bool("migration_tracking_state", 0600, directory,
			    &pf->migration_tracking_state);
	debugfs_create_bool("migration_in_chunks", 0600, directory, &pf->migration_in_chunks);
	debugfs_create_bool("migration_state", 0600, directory, &pf->migration_state);
	debugfs_create_bool("adv_virtualization", 0600, directory, &pf->adv_virtualization);
	debugfs_create_file("attached", 0600, directory, pf, &fw_attached_fops);
	fw_create_faults(directory, &pf->faults);
}

void fw_knobs_init(void)
{
	struct fw_vf *vf;
	struct fw_pf *pf;

	fw_root = debugfs_create_dir("vfio_migrate_firmware", NULL);
	debugfs_create_file("objects", 0400, fw_root, NULL, &fw_objects_fops);
	list_for_each_entry(pf, &fw_pfs, entry)
		fw_create_pf(pf);
	list_for_each_entry(vf, &fw_vfs, entry)
		fw_create_vf(vf);
}

void fw_knobs_exit(void)
{
	debugfs_remove(fw_root);
}
