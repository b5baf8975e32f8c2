// SPDX-License-Identifier: GPL-2.0-only
/*
 * SAVE, which nobody waits for: it begins when it is submitted, with the pages
 * as they are then, and says by a callback how it ended.
 */
#include <linux/mlx5/device.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "firmware.h"

struct fw_save {
	struct work_struct work;
	struct fw_command command;
	struct fw_save_plan plan;
	const struct fw_memory *memory;
	int status;
	void *out;
	struct mlx5_async_ctx *context;
	struct mlx5_async_work *driver_work;
	mlx5_async_cbk_t callback;
};

static DECLARE_WAIT_QUEUE_HEAD(fw_saves_ended);

static void fw_free_save(struct fw_save *save)
{
	kvfree(save->plan.pages);
	kfree(save);
}

static void fw_answer(const struct fw_save *save, int result)
{
	if (result > 0)
		MLX5_SET(save_vhca_state_out, save->out, status, result);
	if (result)
		return;
	MLX5_SET(save_vhca_state_out, save->out, actual_image_size, save->plan.bytes);
	MLX5_SET(save_vhca_state_out, save->out, next_required_umem_size, save->plan.next_bytes);
}

static void fw_save_work(struct work_struct *work)
{
	struct fw_save *save = container_of(work, struct fw_save, work);
	struct mlx5_async_ctx *context = save->context;
	struct fw_command *command = &save->command;
	int result;

	result = fw_fault_suffer(&command->vf->faults, command->fault);
	if (!result)
		result = save->status;
	if (!result)
		fw_image_write(save->memory, &save->plan);
	fw_command_wait(command, result ? 0 : save->plan.bytes);
	if (!result && fw_command_is_overtaken(command))
		result = MLX5_CMD_STAT_BAD_SYS_STATE_ERR;
	fw_answer(save, result);
	fw_command_end(command, result);
	/* As mlx5_core says that the reason is in the answer. */
	save->callback(result > 0 ? -EREMOTEIO : result, save->driver_work);
	if (result)
		fw_wait_for_driver(save->driver_work);
	fw_free_save(save);
	/* The context is its driver's again from here on. */
	if (atomic_dec_and_test(&context->num_inflight))
		wake_up_all(&fw_saves_ended);
}

static void fw_plan(struct fw_save *save, const void *in)
{
	struct fw_command *command = &save->command;
	struct fw_save_plan *plan = &save->plan;
	struct fw_vf *vf = command->vf;

	plan->incremental = MLX5_GET(save_vhca_state_in, in, incremental);
	plan->track = MLX5_GET(save_vhca_state_in, in, set_track);
	plan->buffer = min_t(u64, MLX5_GET(save_vhca_state_in, in, size),
			     fw_memory_bytes(save->memory));
	snprintf(command->arguments, sizeof(command->arguments),
		 " incremental=%u track=%u buffer=%u", plan->incremental, plan->track, plan->buffer);
	if (command->fault && command->fault->result != FW_HOLD)
		return;
	spin_lock_irq(&vf->lock);
	fw_workload_sync(vf);
	save->status = fw_plan_save(vf, plan);
	spin_unlock_irq(&vf->lock);
}

int mlx5_cmd_exec_cb(struct mlx5_async_ctx *ctx, void *in, int in_size, void *out, int out_size,
		     mlx5_async_cbk_t callback, struct mlx5_async_work *work)
{
	struct fw_vf *vf = fw_vf_by_vhca_id(MLX5_GET(save_vhca_state_in, in, vhca_id));
	struct fw_save *save;

	if (!vf || MLX5_GET(save_vhca_state_in, in, opcode) != MLX5_CMD_OP_SAVE_VHCA_STATE)
		return -EINVAL;
	save = kzalloc(sizeof(*save), GFP_KERNEL);
	if (!save)
		return -ENOMEM;
	save->plan.pages = kvmalloc_array(vf->pages, sizeof(*save->plan.pages), GFP_KERNEL);
	if (!save->plan.pages) {
		kfree(save);
		return -ENOMEM;
	}
	memset(out, 0, out_size);
	work->ctx = ctx;
	work->user_callback = callback;
	work->out = out;
	save->out = out;
	save->context = ctx;
	save->driver_work = work;
	save->callback = callback;
	save->memory = fw_memory_get(MLX5_GET(save_vhca_state_in, in, mkey));
	fw_command_begin(&save->command, vf, FW_SAVE);
	fw_plan(save, in);
	INIT_WORK(&save->work, fw_save_work);
	atomic_inc(&ctx->num_inflight);
	queue_work(fw_queue, &save->work);
	return 0;
}
EXPORT_SYMBOL(mlx5_cmd_exec_cb);

void mlx5_cmd_init_async_ctx(struct mlx5_core_dev *dev, struct mlx5_async_ctx *ctx)
{
	ctx->dev = dev;
	atomic_set(&ctx->num_inflight, 0);
}
EXPORT_SYMBOL(mlx5_cmd_init_async_ctx);

void mlx5_cmd_cleanup_async_ctx(struct mlx5_async_ctx *ctx)
{
	wait_event_idle(fw_saves_ended, !atomic_read(&ctx->num_inflight));
}
EXPORT_SYMBOL(mlx5_cmd_cleanup_async_ctx);
