/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A simulated mlx5 firmware; docs/firmware-model.md says what it does. Each
 * source file is one section below.
 */
#ifndef VFIO_MIGRATE_FIRMWARE_H
#define VFIO_MIGRATE_FIRMWARE_H

#include <linux/bitmap.h>
#include <linux/irq_work.h>
#include <linux/list.h>
#include <linux/mlx5/driver.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/pci.h>
#include <linux/seq_file.h>
#include <linux/spinlock.h>
#include <linux/time64.h>
#include <linux/types.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#define FW_PAGE 4096u
#define FW_NO_WINDOW 0xffffffffu
/* mlx5_core waits no longer for a command. */
#define FW_LONGEST_US (60 * USEC_PER_SEC)
/* A tebibyte a second: what is due in centuries is a number of steps still. */
#define FW_FASTEST (1ull << 40)
/* With the largest state's image it fits into the 32 bits of QUERY's answer. */
#define FW_MOST_SLACK (1ull << 30)

/* What a fault can be put on. */
enum fw_point {
	FW_SUSPEND_INITIATOR,
	FW_SUSPEND_RESPONDER,
	FW_RESUME_RESPONDER,
	FW_RESUME_INITIATOR,
	FW_QUERY,
	FW_SAVE,
	FW_LOAD,
	FW_QUERY_HCA_CAP,
	FW_LOG_START,
	FW_LOG_REPORT,
	/* No command: what it makes of its state in a report. */
	FW_TRACKER,
	FW_VF_POINTS,
	/* The driver does not say for which of a PF's functions these are. */
	FW_ALLOC_PD = FW_VF_POINTS,
	FW_CREATE_MKEY,
	FW_POINTS,
};

struct fw_faults {
	spinlock_t lock;
	struct list_head pending;
	enum fw_point first, end;
	atomic_t held;
	unsigned int releases;
	wait_queue_head_t wait;
};

struct fw_log {
	spinlock_t lock;
	struct list_head lines;
	unsigned int count;
};

/* An interval in which a function runs. */
struct fw_run {
	u64 seed, first, end;
	u64 begin_ns, end_ns;
};

struct fw_window {
	u64 iova;
	u32 vector;
};

/* What has been loaded: the image, and the chunk of it that has to come next, 0 after the last. */
struct fw_loading {
	bool begun, whole;
	u64 id;
	u32 next_chunk;
};

/* What has been saved: the last image of the tracking, and the one that is at hand. */
struct fw_tracking {
	bool on;
	u64 last_id;
	bool in_chunks;
	u64 id, base;
	u32 next_chunk;
};

struct fw_vf {
	struct list_head entry;
	struct fw_pf *pf;
	struct pci_dev *pdev;
	unsigned int index;
	u16 vhca_id;
	bool migratable;
	struct blocking_notifier_head notifiers;

	/* Held by whoever needs that the number of pages stays as it is. */
	struct mutex knobs;
	/*
	 * Guards the rest. Taken in any context, inside of all others: a reset
	 * arrives as a write to the configuration space.
	 */
	spinlock_t lock;

	/* The state that migrates. */
	u64 size, seed, epoch;
	u32 pages;
	u32 *versions;
	struct fw_window window;

	u64 own_seed;
	bool is_open, initiator_suspended, responder_suspended;
	unsigned int resets;
	struct fw_loading loading;
	struct fw_tracking tracking;
	/* The pages that no tracked SAVE has seen, and those that the image at hand still lacks. */
	unsigned long *dirty, *remaining;
	bool is_chunk_mode, reinit;
	u64 chunk_size, estimate_slack;

	u64 rate, working_set;
	u64 clock_begin_ns, clock_steps;
	bool run_is_open;
	struct fw_run run;

	struct fw_tracker *tracker;

	u64 latency_us[FW_VF_POINTS];
	u64 bandwidth[FW_VF_POINTS];
	struct fw_faults faults;
	struct fw_log commands, runs;

	u16 pci_command;
	u64 beat_ms;
	u64 beats_written, beats_not_master, beats_unmapped, beats_masked;
	struct delayed_work beat;
	struct irq_work interrupt;
	unsigned int irq;
};

struct fw_pf {
	struct list_head entry;
	struct pci_dev *pdev;
	struct mlx5_core_dev *mdev;
	bool attached;
	bool migration, migration_multi_load, migration_tracking_state;
	bool migration_in_chunks, migration_state, adv_virtualization;
	struct fw_faults faults;
};

/* main.c */
extern struct list_head fw_pfs, fw_vfs;
extern struct workqueue_struct *fw_queue;
struct fw_vf *fw_vf_of(const struct pci_dev *pdev);
struct fw_vf *fw_vf_by_vhca_id(u16 vhca_id);
struct fw_pf *fw_pf_of(const struct mlx5_core_dev *mdev);

/* caps.c */
int fw_caps_init(struct fw_pf *pf);
void fw_caps_free(struct fw_pf *pf);
struct fw_vf *fw_vf_by_function_id(const struct mlx5_core_dev *mdev, u16 function_id);
void fw_pf_attach(struct fw_pf *pf, bool attach);

/* state.c; the callers of fw_state_reset() hold the lock, the others' the mutex. */
struct fw_snapshot {
	u64 seed, epoch, digest;
};

u32 fw_mix(u32 x);
u32 fw_pages_of(u64 size);
u32 fw_page_bytes(u64 size, u32 page);
void fw_state_reset(struct fw_vf *vf);
int fw_state_resize(struct fw_vf *vf, u64 size);
void fw_state_free(struct fw_vf *vf);
int fw_state_digest(struct fw_vf *vf, struct fw_snapshot *snapshot);

/* workload.c; callers hold the lock. */
bool fw_workload_runs(const struct fw_vf *vf);
void fw_workload_sync(struct fw_vf *vf);
void fw_workload_rebase(struct fw_vf *vf);
void fw_workload_start(struct fw_vf *vf);
void fw_workload_stop(struct fw_vf *vf);
int fw_workload_step(struct fw_vf *vf, u64 steps);

/* memory.c */
struct fw_memory;

const struct fw_memory *fw_memory_get(u32 mkey);
u64 fw_memory_bytes(const struct fw_memory *memory);
void *fw_memory_at(const struct fw_memory *memory, u64 offset, u32 *bytes);
void fw_memory_show(struct seq_file *seq);
void fw_memory_exit(void);

/* image.c */
#define FW_IMAGE_MAGIC 0x4d494656u
#define FW_IMAGE_FORMAT 1
#define FW_IMAGE_INCREMENTAL 1u
#define FW_IMAGE_LAST_CHUNK 2u
#define FW_IMAGE_FINAL 4u

struct fw_image {
	__le32 magic;
	__le32 format;
	__le64 size;
	__le64 seed;
	__le64 epoch;
	__le64 id;
	__le64 base;
	__le32 flags;
	__le32 chunk;
	__le32 pages;
	__le32 vector;
	__le64 iova;
	__le32 zero;
	__le32 check;
};

struct fw_page_version {
	u32 page, version;
};

/* A SAVE: what it was asked for, and what it is to save. */
struct fw_save_plan {
	u32 buffer;
	bool incremental, track;
	struct fw_image header;
	/* Room for as many as the function has. */
	struct fw_page_version *pages;
	u32 count;
	u32 bytes, next_bytes;
};

__le32 fw_image_check(const struct fw_image *header);
void fw_image_write(const struct fw_memory *memory, const struct fw_save_plan *plan);
int fw_image_read_header(const struct fw_memory *memory, u32 length, struct fw_image *header);
int fw_image_read_pages(const struct fw_memory *memory, u32 length,
			const struct fw_image *header, struct fw_page_version *pages);

/* tracking.c; callers hold the lock. */
void fw_mark_all(struct fw_vf *vf, unsigned long *pages);
u64 fw_image_bytes(const struct fw_vf *vf, const unsigned long *pages);
int fw_plan_save(struct fw_vf *vf, struct fw_save_plan *plan);

/* command.c */
struct fw_command {
	struct fw_vf *vf;
	enum fw_point point;
	char arguments[48];
	u64 begin_ns;
	unsigned int resets;
	struct fw_fault *fault;
};

int fw_result_to_errno(int result);
void fw_command_begin(struct fw_command *command, struct fw_vf *vf, enum fw_point point);
void fw_command_wait(const struct fw_command *command, u64 bytes);
bool fw_command_is_overtaken(const struct fw_command *command);
void fw_command_end(struct fw_command *command, int result);

/* query.c, with the lock held; load.c */
int fw_query(struct fw_vf *vf, const void *in, void *out);
int fw_load(struct fw_command *command, const void *in);
void fw_refuse_load(struct fw_command *command);

/* queues.c */
int fw_send(u32 qpn, const void *message, u32 bytes, u32 immediate);
int fw_queue_command(u16 opcode, const void *in, void *out);

/* tracker.c; callers of the first two hold the lock. */
#define FW_TRACKER_RANGES 16

void fw_tracker_mark_page(struct fw_vf *vf, u32 page);
void fw_tracker_mark_iova(struct fw_vf *vf, u64 iova);
struct fw_vf *fw_vf_of_tracker(const void *in);
int fw_tracker_create(struct fw_vf *vf, const void *in, void *out);
int fw_tracker_report(struct fw_vf *vf, const void *in);
int fw_tracker_query(const void *in, void *out);
int fw_tracker_destroy(const void *in);

/* driver.c */
void fw_wait_for_driver(struct mlx5_async_work *work);

/* flr.c */
int fw_flr_init(void);
void fw_flr_exit(void);

/* beat.c */
void fw_beat_init(struct fw_vf *vf);
void fw_beat_exit(struct fw_vf *vf);
void fw_beat_schedule(struct fw_vf *vf);

/* fault.c */
#define FW_HOLD INT_MAX

struct fw_fault {
	struct list_head entry;
	enum fw_point point;
	u64 nth;
	/* A firmware status, -errno, or FW_HOLD. */
	int result;
	/* How often was let go when the command took it. */
	unsigned int releases;
};

extern const char *const fw_point_names[FW_POINTS];
void fw_faults_init(struct fw_faults *faults, enum fw_point first, enum fw_point end);
void fw_faults_clear(struct fw_faults *faults);
int fw_faults_add(struct fw_faults *faults, char *line);
void fw_faults_show(struct fw_faults *faults, struct seq_file *seq);
void fw_faults_release(struct fw_faults *faults);
struct fw_fault *fw_faults_take(struct fw_faults *faults, enum fw_point point);
int fw_fault_suffer(struct fw_faults *faults, struct fw_fault *fault);

/* log.c */
void fw_log_init(struct fw_log *log);
void fw_log_clear(struct fw_log *log);
void fw_log_show(struct fw_log *log, struct seq_file *seq);
void fw_log_command(struct fw_log *log, const struct fw_command *command, int result);
void fw_log_run(struct fw_log *log, const struct fw_run *run);

/* knobs.c */
void fw_knobs_init(void);
void fw_knobs_exit(void);

#endif
