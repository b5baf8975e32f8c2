// SPDX-License-Identifier: GPL-2.0-only
/*
 * The one thing that has to be known of the driver's inside. It deals with a
 * SAVE that failed in a work of its own, and cancels that when its session
 * ends: where the cancelling comes first, the failure is forgotten, and a
 * buffer and a reference to the file are lost for good, and the module with
 * them. So whoever waits for the SAVE waits here until the work is done.
 */
#include <linux/workqueue.h>

#include "../mlx5/cmd.h"
#include "firmware.h"

void fw_wait_for_driver(struct mlx5_async_work *work)
{
	struct mlx5vf_async_data *data = container_of(work, struct mlx5vf_async_data, cb_work);

	flush_work(&data->work);
}
