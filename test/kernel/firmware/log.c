// SPDX-License-Identifier: GPL-2.0-only
/* What has happened, one line each; the oldest ones are dropped when there are too many. */
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>

#include "firmware.h"

#define FW_MAX_LINES 10000

struct fw_line {
	struct list_head entry;
	char text[];
};

void fw_log_init(struct fw_log *log)
{
	spin_lock_init(&log->lock);
	INIT_LIST_HEAD(&log->lines);
}

static void fw_drop_oldest(struct fw_log *log)
{
	struct fw_line *line = list_first_entry(&log->lines, struct fw_line, entry);

	list_del(&line->entry);
	log->count--;
	kfree(line);
}

void fw_log_clear(struct fw_log *log)
{
	unsigned long flags;

	spin_lock_irqsave(&log->lock, flags);
	while (log->count)
		fw_drop_oldest(log);
	spin_unlock_irqrestore(&log->lock, flags);
}

/* In any context: a reset ends a run. */
__printf(2, 3) static void fw_log_line(struct fw_log *log, const char *format, ...)
{
	struct fw_line *line;
	unsigned long flags;
	char text[160];
	va_list args;
	int length;

	va_start(args, format);
	length = vscnprintf(text, sizeof(text), format, args);
	va_end(args);
	line = kmalloc(struct_size(line, text, length + 1), GFP_ATOMIC);
	if (!line)
		return;
	memcpy(line->text, text, length + 1);

	spin_lock_irqsave(&log->lock, flags);
	list_add_tail(&line->entry, &log->lines);
	if (++log->count > FW_MAX_LINES)
		fw_drop_oldest(log);
	spin_unlock_irqrestore(&log->lock, flags);
}

void fw_log_show(struct fw_log *log, struct seq_file *seq)
{
	struct fw_line *line;

	spin_lock_irq(&log->lock);
	list_for_each_entry(line, &log->lines, entry)
		seq_puts(seq, line->text);
	spin_unlock_irq(&log->lock);
}

void fw_log_command(struct fw_log *log, const struct fw_command *command, int result)
{
	u64 end = ktime_get_ns();
	char text[16];

	if (result < 0)
		snprintf(text, sizeof(text), "errno=%d", -result);
	else
		snprintf(text, sizeof(text), "status=0x%x", result);
	fw_log_line(log, "%s%s %s begin=%llu end=%llu\n", fw_point_names[command->point],
		    command->arguments, text, command->begin_ns, end);
}

void fw_log_run(struct fw_log *log, const struct fw_run *run)
{
	fw_log_line(log, "seed=%llu first=%llu after=%llu begin=%llu end=%llu\n", run->seed,
		    run->first, run->end, run->begin_ns, run->end_ns);
}
