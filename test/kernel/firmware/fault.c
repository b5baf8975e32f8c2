// SPDX-License-Identifier: GPL-2.0-only
/* Faults: what shall go wrong with the n-th execution of a command from now on. */
#include <linux/mlx5/device.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "firmware.h"

const char *const fw_point_names[FW_POINTS] = {
	[FW_SUSPEND_INITIATOR] = "SUSPEND_INITIATOR",
	[FW_SUSPEND_RESPONDER] = "SUSPEND_RESPONDER",
	[FW_RESUME_RESPONDER] = "RESUME_RESPONDER",
	[FW_RESUME_INITIATOR] = "RESUME_INITIATOR",
	[FW_QUERY] = "QUERY",
	[FW_SAVE] = "SAVE",
	[FW_LOAD] = "LOAD",
	[FW_QUERY_HCA_CAP] = "QUERY_HCA_CAP",
	[FW_LOG_START] = "LOG_START",
	[FW_LOG_REPORT] = "LOG_REPORT",
	[FW_TRACKER] = "TRACKER",
	[FW_ALLOC_PD] = "ALLOC_PD",
	[FW_CREATE_MKEY] = "CREATE_MKEY",
};

static const struct {
	const char *name;
	int errno;
} fw_errnos[] = {
	{ "EAGAIN", EAGAIN },	    { "EBUSY", EBUSY },		{ "EINTR", EINTR },
	{ "EINVAL", EINVAL },	    { "EIO", EIO },		{ "ENODEV", ENODEV },
	{ "ENOLINK", ENOLINK },	    { "ENOMEM", ENOMEM },	{ "ENXIO", ENXIO },
	{ "EREMOTEIO", EREMOTEIO }, { "ETIMEDOUT", ETIMEDOUT },
};

void fw_faults_init(struct fw_faults *faults, enum fw_point first, enum fw_point end)
{
	spin_lock_init(&faults->lock);
	INIT_LIST_HEAD(&faults->pending);
	init_waitqueue_head(&faults->wait);
	faults->first = first;
	faults->end = end;
}

void fw_faults_clear(struct fw_faults *faults)
{
	struct fw_fault *fault, *next;
	LIST_HEAD(cleared);

	spin_lock_irq(&faults->lock);
	list_splice_init(&faults->pending, &cleared);
	spin_unlock_irq(&faults->lock);
	list_for_each_entry_safe(fault, next, &cleared, entry)
		kfree(fault);
}

static int fw_parse_point(const struct fw_faults *faults, const char *name)
{
	int point;

	for (point = faults->first; point < faults->end; point++)
		if (!strcmp(fw_point_names[point], name))
			return point;
	return -EINVAL;
}

static int fw_parse_errno(const char *text, int *result)
{
	unsigned int i, errno;

	for (i = 0; i < ARRAY_SIZE(fw_errnos); i++) {
		if (strcmp(fw_errnos[i].name, text))
			continue;
		*result = -fw_errnos[i].errno;
		return 0;
	}
	if (kstrtouint(text, 0, &errno) || !errno || errno > MAX_ERRNO)
		return -EINVAL;
	*result = -errno;
	return 0;
}

static int fw_parse_result(const char *kind, const char *value, int *result)
{
	u8 status;

	if (!strcmp(kind, "hold") && !value) {
		*result = FW_HOLD;
		return 0;
	}
	if (!value)
		return -EINVAL;
	if (!strcmp(kind, "errno"))
		return fw_parse_errno(value, result);
	if (strcmp(kind, "status") || kstrtou8(value, 0, &status) || !status)
		return -EINVAL;
	*result = status;
	return 0;
}

/* POINT N "status" STATUS, POINT N "errno" NAME, or POINT N "hold". */
static int fw_parse(const struct fw_faults *faults, char *line, struct fw_fault *fault)
{
	char *words[4] = {};
	int count = 0;
	char *word;

	while ((word = strsep(&line, " \n"))) {
		if (!*word)
			continue;
		if (count == ARRAY_SIZE(words))
			return -EINVAL;
		words[count++] = word;
	}
	if (count < 3)
		return -EINVAL;
	fault->point = fw_parse_point(faults, words[0]);
	if ((int)fault->point < 0 || kstrtou64(words[1], 0, &fault->nth) || !fault->nth)
		return -EINVAL;
	return fw_parse_result(words[2], words[3], &fault->result);
}

int fw_faults_add(struct fw_faults *faults, char *line)
{
	struct fw_fault *fault = kzalloc(sizeof(*fault), GFP_KERNEL);
	int ret;

	if (!fault)
		return -ENOMEM;
	ret = fw_parse(faults, line, fault);
	if (ret) {
		kfree(fault);
		return ret;
	}
	spin_lock_irq(&faults->lock);
	list_add_tail(&fault->entry, &faults->pending);
	spin_unlock_irq(&faults->lock);
	return 0;
}

static void fw_show_fault(struct seq_file *seq, const struct fw_fault *fault)
{
	seq_printf(seq, "%s %llu ", fw_point_names[fault->point], fault->nth);
	if (fault->result == FW_HOLD)
		seq_puts(seq, "hold\n");
	else if (fault->result > 0)
		seq_printf(seq, "status 0x%x\n", fault->result);
	else
		seq_printf(seq, "errno %d\n", -fault->result);
}

void fw_faults_show(struct fw_faults *faults, struct seq_file *seq)
{
	struct fw_fault *fault;

	spin_lock_irq(&faults->lock);
	list_for_each_entry(fault, &faults->pending, entry)
		fw_show_fault(seq, fault);
	spin_unlock_irq(&faults->lock);
}

/* Counts this execution. Returns the fault that it is to suffer, which the caller then owns. */
struct fw_fault *fw_faults_take(struct fw_faults *faults, enum fw_point point)
{
	struct fw_fault *fault, *next, *due = NULL;
	unsigned long flags;

	spin_lock_irqsave(&faults->lock, flags);
	list_for_each_entry_safe(fault, next, &faults->pending, entry) {
		if (fault->point != point)
			continue;
		if (fault->nth > 1) {
			fault->nth--;
		} else if (!due) {
			due = fault;
			due->releases = faults->releases;
			list_del(&fault->entry);
		}
	}
	spin_unlock_irqrestore(&faults->lock, flags);
	return due;
}

static void fw_hold(struct fw_faults *faults, unsigned int releases)
{
	atomic_inc(&faults->held);
	wait_event_idle(faults->wait, READ_ONCE(faults->releases) != releases);
	atomic_dec(&faults->held);
}

/* Lets go of all commands that have met their fault, also of those that have yet to come to their wait. */
void fw_faults_release(struct fw_faults *faults)
{
	spin_lock_irq(&faults->lock);
	WRITE_ONCE(faults->releases, faults->releases + 1);
	spin_unlock_irq(&faults->lock);
	wake_up_all(&faults->wait);
}

/* Returns the result that a command shall have, 0 when it is to go on. */
int fw_fault_suffer(struct fw_faults *faults, struct fw_fault *fault)
{
	int result = fault ? fault->result : 0;

	if (result == FW_HOLD) {
		fw_hold(faults, fault->releases);
		result = 0;
	}
	kfree(fault);
	return result;
}
