// SPDX-License-Identifier: GPL-2.0-only
/*
 * The commands that somebody waits for. A result is 0, the status of the
 * firmware, or -errno of the driver's side.
 */
#include <linux/hrtimer.h>
#include <linux/math64.h>
#include <linux/mlx5/device.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/timekeeping.h>

#include "firmware.h"

static const struct {
	u8 status;
	int errno;
} fw_errnos[] = {
	{ MLX5_CMD_STAT_BAD_OP_ERR, -EINVAL },
	{ MLX5_CMD_STAT_BAD_PARAM_ERR, -EINVAL },
	{ MLX5_CMD_STAT_BAD_RES_ERR, -EINVAL },
	{ MLX5_CMD_STAT_RES_BUSY, -EBUSY },
	{ MLX5_CMD_STAT_NOT_READY, -EAGAIN },
	{ MLX5_CMD_STAT_LIM_ERR, -ENOMEM },
	{ MLX5_CMD_STAT_BAD_RES_STATE_ERR, -EINVAL },
	{ MLX5_CMD_STAT_IX_ERR, -EINVAL },
	{ MLX5_CMD_STAT_NO_RES_ERR, -EAGAIN },
	{ MLX5_CMD_STAT_BAD_QP_STATE_ERR, -EINVAL },
	{ MLX5_CMD_STAT_BAD_PKT_ERR, -EINVAL },
	{ MLX5_CMD_STAT_BAD_SIZE_OUTS_CQES_ERR, -EINVAL },
};

/* What mlx5_core makes of a result. */
int fw_result_to_errno(int result)
{
	int i;

	if (result <= 0)
		return result;
	for (i = 0; i < ARRAY_SIZE(fw_errnos); i++)
		if (fw_errnos[i].status == result)
			return fw_errnos[i].errno;
	return -EIO;
}

void fw_command_begin(struct fw_command *command, struct fw_vf *vf, enum fw_point point)
{
	command->vf = vf;
	command->point = point;
	command->begin_ns = ktime_get_ns();
	command->resets = READ_ONCE(vf->resets);
	command->fault = fw_faults_take(&vf->faults, point);
}

/* Until the command has taken its time, a minute at most, of which it may have spent some already. */
void fw_command_wait(const struct fw_command *command, u64 bytes)
{
	const struct fw_vf *vf = command->vf;
	u64 bandwidth = READ_ONCE(vf->bandwidth[command->point]);
	u64 takes = READ_ONCE(vf->latency_us[command->point]) * NSEC_PER_USEC;
	u64 end;

	if (bandwidth)
		takes += mul_u64_u64_div_u64(bytes, NSEC_PER_SEC, bandwidth);
	end = command->begin_ns + min_t(u64, takes, FW_LONGEST_US * NSEC_PER_USEC);
	while (ktime_get_ns() < end) {
		ktime_t expires = ns_to_ktime(end);

		set_current_state(TASK_IDLE);
		schedule_hrtimeout(&expires, HRTIMER_MODE_ABS);
	}
}

/* A reset has ended all commands that were under way: they change nothing any more. */
bool fw_command_is_overtaken(const struct fw_command *command)
{
	return command->resets != READ_ONCE(command->vf->resets);
}

void fw_command_end(struct fw_command *command, int result)
{
	fw_log_command(&command->vf->commands, command, result);
}

static void fw_suspend(struct fw_vf *vf, bool *part)
{
	fw_workload_sync(vf);
	*part = true;
	if (!fw_workload_runs(vf))
		fw_workload_stop(vf);
}

static int fw_resume_responder(struct fw_vf *vf)
{
	if (vf->loading.begun && !vf->loading.whole)
		return MLX5_CMD_STAT_BAD_SYS_STATE_ERR;
	vf->tracking.in_chunks = false;
	vf->responder_suspended = false;
	return 0;
}

static int fw_resume_initiator(struct fw_vf *vf)
{
	vf->initiator_suspended = false;
	fw_workload_start(vf);
	fw_beat_schedule(vf);
	return 0;
}

static int fw_take_effect(struct fw_command *command, const void *in, void *out)
{
	struct fw_vf *vf = command->vf;
	int status = 0;

	spin_lock_irq(&vf->lock);
	fw_workload_sync(vf);
	if (fw_command_is_overtaken(command))
		status = MLX5_CMD_STAT_BAD_SYS_STATE_ERR;
	else if (command->point == FW_SUSPEND_INITIATOR)
		fw_suspend(vf, &vf->initiator_suspended);
	else if (command->point == FW_SUSPEND_RESPONDER)
		fw_suspend(vf, &vf->responder_suspended);
	else if (command->point == FW_RESUME_RESPONDER)
		status = fw_resume_responder(vf);
	else if (command->point == FW_RESUME_INITIATOR)
		status = fw_resume_initiator(vf);
	else if (command->point == FW_QUERY)
		status = fw_query(vf, in, out);
	spin_unlock_irq(&vf->lock);
	return status;
}

static int fw_run(struct fw_command *command, const void *in, void *out)
{
	int result = fw_fault_suffer(&command->vf->faults, command->fault);

	if (!result && command->point == FW_LOAD)
		result = fw_load(command, in);
	fw_command_wait(command, 0);
	if (result && command->point == FW_LOAD)
		fw_refuse_load(command);
	if (result || command->point == FW_LOAD)
		return result;
	if (command->point == FW_LOG_START)
		return fw_tracker_create(command->vf, in, out);
	if (command->point == FW_LOG_REPORT)
		return fw_tracker_report(command->vf, in);
	return fw_take_effect(command, in, out);
}

static int fw_point_of(u16 opcode, u16 op_mod)
{
	switch (opcode) {
	case MLX5_CMD_OP_SUSPEND_VHCA:
		return op_mod == MLX5_SUSPEND_VHCA_IN_OP_MOD_SUSPEND_INITIATOR ?
			       FW_SUSPEND_INITIATOR :
			       FW_SUSPEND_RESPONDER;
	case MLX5_CMD_OP_RESUME_VHCA:
		return op_mod == MLX5_RESUME_VHCA_IN_OP_MOD_RESUME_RESPONDER ?
			       FW_RESUME_RESPONDER :
			       FW_RESUME_INITIATOR;
	case MLX5_CMD_OP_QUERY_VHCA_MIGRATION_STATE:
		return FW_QUERY;
	case MLX5_CMD_OP_LOAD_VHCA_STATE:
		return FW_LOAD;
	case MLX5_CMD_OP_QUERY_HCA_CAP:
		return FW_QUERY_HCA_CAP;
	case MLX5_CMD_OP_CREATE_GENERAL_OBJECT:
		return FW_LOG_START;
	case MLX5_CMD_OP_MODIFY_GENERAL_OBJECT:
		return FW_LOG_REPORT;
	default:
		return -1;
	}
}

/* All commands have their opcode, their op_mod and their status in the same place. */
#define FW_IN(in, field) MLX5_GET(suspend_vhca_in, in, field)

static struct fw_vf *fw_vf_named_by(struct mlx5_core_dev *dev, enum fw_point point, const void *in)
{
	if (point == FW_QUERY_HCA_CAP)
		return fw_vf_by_function_id(dev, MLX5_GET(query_hca_cap_in, in, function_id));
	if (point == FW_LOG_START)
		return fw_vf_by_vhca_id(MLX5_GET(create_page_track_obj_in, in,
						 obj_context.vhca_id));
	if (point == FW_LOG_REPORT)
		return fw_vf_of_tracker(in);
	return fw_vf_by_vhca_id(FW_IN(in, vhca_id));
}

static void fw_describe(struct fw_command *command, const void *in, const void *out)
{
	char *text = command->arguments;
	size_t size = sizeof(command->arguments);

	if (command->point == FW_QUERY)
		snprintf(text, size, " incremental=%u bytes=%u",
			 MLX5_GET(query_vhca_migration_state_in, in, incremental),
			 MLX5_GET(query_vhca_migration_state_out, out, required_umem_size));
	else if (command->point == FW_LOAD)
		snprintf(text, size, " bytes=%u", MLX5_GET(load_vhca_state_in, in, size));
}

/* Commands that are no part of the model: they take no time and always succeed. */
static int fw_execute_other(u16 opcode, const void *in, void *out)
{
	switch (opcode) {
	case MLX5_CMD_OP_QUERY_GENERAL_OBJECT:
		return fw_tracker_query(in, out);
	case MLX5_CMD_OP_DESTROY_GENERAL_OBJECT:
		return fw_tracker_destroy(in);
	default:
		return fw_queue_command(opcode, in, out);
	}
}

static int fw_execute(struct mlx5_core_dev *dev, const void *in, void *out)
{
	int point = fw_point_of(FW_IN(in, opcode), FW_IN(in, op_mod));
	struct fw_command command = {};
	struct fw_vf *vf;
	int result;

	if (point < 0)
		return fw_execute_other(FW_IN(in, opcode), in, out);
	vf = fw_vf_named_by(dev, point, in);
	if (!vf)
		return MLX5_CMD_STAT_BAD_RES_ERR;
	fw_command_begin(&command, vf, point);
	result = fw_run(&command, in, out);
	if (!result && point == FW_QUERY_HCA_CAP)
		MLX5_SET(query_hca_cap_out, out, capability.cmd_hca_cap.vhca_id, vf->vhca_id);
	fw_describe(&command, in, out);
	fw_command_end(&command, result);
	return result;
}

int mlx5_cmd_exec(struct mlx5_core_dev *dev, void *in, int in_size, void *out, int out_size)
{
	int result;

	memset(out, 0, out_size);
	result = fw_execute(dev, in, out);
	if (result > 0)
		MLX5_SET(suspend_vhca_out, out, status, result);
	return fw_result_to_errno(result);
}
EXPORT_SYMBOL(mlx5_cmd_exec);

/* mlx5_core writes a line here, at most a few a second. The log of commands has it all. */
void mlx5_cmd_out_err(struct mlx5_core_dev *dev, u16 opcode, u16 op_mod, void *out)
{
}
EXPORT_SYMBOL(mlx5_cmd_out_err);
