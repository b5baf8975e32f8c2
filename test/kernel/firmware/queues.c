// SPDX-License-Identifier: GPL-2.0-only
/*
 * Completion queues and queue pairs, as far as the driver's DMA tracker needs
 * them: the firmware sends messages by one queue pair into the buffers that
 * the driver has posted on the other, and a completion tells of each.
 */
#include <linux/io.h>
#include <linux/mlx5/cq.h>
#include <linux/mlx5/device.h>
#include <linux/mlx5/qp.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/xarray.h>

#include "firmware.h"

#define FW_WQE_BYTES sizeof(struct mlx5_wqe_data_seg)
#define FW_CQE_BYTES sizeof(struct mlx5_cqe64)

/* A ring in the driver's memory: entries of a size that divides a page. */
struct fw_ring {
	u32 entries, entry_bytes, position;
	u64 addresses[] __counted_by(entries);
};

struct fw_cq {
	struct mlx5_core_cq *core;
	struct fw_ring *ring;
};

struct fw_qp {
	u32 cqn, remote;
	/* Where the driver counts what it has posted; both are of the side that receives. */
	const __be32 *doorbell;
	struct fw_ring *ring;
};

static DEFINE_XARRAY_ALLOC1(fw_cqs);
static DEFINE_XARRAY_ALLOC1(fw_qps);

static struct fw_ring *fw_create_ring(const __be64 *pas, u32 entries, u32 entry_bytes)
{
	u32 pages = DIV_ROUND_UP(entries * entry_bytes, PAGE_SIZE), i;
	struct fw_ring *ring = kzalloc(struct_size(ring, addresses, entries), GFP_KERNEL);

	if (!ring)
		return NULL;
	ring->entries = entries;
	ring->entry_bytes = entry_bytes;
	for (i = 0; i < pages; i++)
		ring->addresses[i] = be64_to_cpu(pas[i]);
	return ring;
}

static void *fw_entry(const struct fw_ring *ring)
{
	u32 offset = (ring->position & (ring->entries - 1)) * ring->entry_bytes;

	return phys_to_virt(ring->addresses[offset / PAGE_SIZE]) + offset_in_page(offset);
}

static void fw_complete(struct fw_cq *cq, u16 wqe, u32 bytes, u32 immediate)
{
	struct mlx5_cqe64 *cqe = fw_entry(cq->ring);
	bool owner = cq->ring->position & cq->ring->entries;

	cqe->immediate = cpu_to_be32(immediate);
	cqe->byte_cnt = cpu_to_be32(bytes);
	cqe->wqe_counter = cpu_to_be16(wqe);
	/* The owner's bit says that the rest is there. */
	smp_store_release(&cqe->op_own, MLX5_CQE_RESP_SEND_IMM << 4 | owner);
	cq->ring->position++;
	cq->core->comp(cq->core, NULL);
}

static void fw_copy(const struct fw_memory *memory, u64 offset, const void *from, u32 bytes)
{
	while (bytes) {
		u32 room;
		void *to = fw_memory_at(memory, offset, &room);

		room = min(room, bytes);
		memcpy(to, from, room);
		offset += room;
		from += room;
		bytes -= room;
	}
}

/* Sends a message from a queue pair to its other end. -EAGAIN: no buffer is posted there now. */
int fw_send(u32 qpn, const void *message, u32 bytes, u32 immediate)
{
	struct fw_qp *sender = xa_load(&fw_qps, qpn);
	struct fw_qp *qp = sender ? xa_load(&fw_qps, sender->remote) : NULL;
	struct fw_cq *cq = qp ? xa_load(&fw_cqs, qp->cqn) : NULL;
	const struct mlx5_wqe_data_seg *wqe;
	const struct fw_memory *memory;

	if (!cq || !qp->ring)
		return -EINVAL;
	if ((u16)be32_to_cpu(READ_ONCE(*qp->doorbell)) == (u16)qp->ring->position)
		return -EAGAIN;
	wqe = fw_entry(qp->ring);
	memory = fw_memory_get(be32_to_cpu(wqe->lkey));
	if (bytes > be32_to_cpu(wqe->byte_count) ||
	    be64_to_cpu(wqe->addr) + bytes > fw_memory_bytes(memory))
		return -EINVAL;
	fw_copy(memory, be64_to_cpu(wqe->addr), message, bytes);
	fw_complete(cq, qp->ring->position++, bytes, immediate);
	return 0;
}

static int fw_create_qp(const void *in, void *out)
{
	const void *context = MLX5_ADDR_OF(create_qp_in, in, qpc);
	struct fw_qp *qp = kzalloc(sizeof(*qp), GFP_KERNEL);
	u32 qpn;

	if (!qp)
		return -ENOMEM;
	if (MLX5_GET(qpc, context, rq_type) == MLX5_NON_ZERO_RQ) {
		qp->cqn = MLX5_GET(qpc, context, cqn_rcv);
		qp->doorbell = phys_to_virt(MLX5_GET64(qpc, context, dbr_addr));
		qp->ring = fw_create_ring(MLX5_ADDR_OF(create_qp_in, in, pas),
					  1u << MLX5_GET(qpc, context, log_rq_size), FW_WQE_BYTES);
	}
	if ((qp->doorbell && !qp->ring) ||
	    xa_alloc(&fw_qps, &qpn, qp, XA_LIMIT(1, 0xffffff), GFP_KERNEL)) {
		kfree(qp->ring);
		kfree(qp);
		return -ENOMEM;
	}
	MLX5_SET(create_qp_out, out, qpn, qpn);
	return 0;
}

static int fw_connect_qp(const void *in)
{
	struct fw_qp *qp = xa_load(&fw_qps, MLX5_GET(init2rtr_qp_in, in, qpn));

	if (!qp)
		return MLX5_CMD_STAT_BAD_RES_ERR;
	qp->remote = MLX5_GET(init2rtr_qp_in, in, qpc.remote_qpn);
	return 0;
}

static int fw_destroy_qp(const void *in)
{
	struct fw_qp *qp = xa_erase(&fw_qps, MLX5_GET(destroy_qp_in, in, qpn));

	if (!qp)
		return MLX5_CMD_STAT_BAD_RES_ERR;
	kfree(qp->ring);
	kfree(qp);
	return 0;
}

/* Commands about queues, which take no time. */
int fw_queue_command(u16 opcode, const void *in, void *out)
{
	switch (opcode) {
	case MLX5_CMD_OP_CREATE_QP:
		return fw_create_qp(in, out);
	case MLX5_CMD_OP_RST2INIT_QP:
	case MLX5_CMD_OP_RTR2RTS_QP:
		return 0;
	case MLX5_CMD_OP_INIT2RTR_QP:
		return fw_connect_qp(in);
	case MLX5_CMD_OP_DESTROY_QP:
		return fw_destroy_qp(in);
	default:
		return MLX5_CMD_STAT_BAD_OP_ERR;
	}
}

int mlx5_core_create_cq(struct mlx5_core_dev *dev, struct mlx5_core_cq *core, u32 *in, int inlen,
			u32 *out, int outlen)
{
	const void *context = MLX5_ADDR_OF(create_cq_in, in, cq_context);
	struct fw_cq *cq = kzalloc(sizeof(*cq), GFP_KERNEL);

	if (!cq)
		return -ENOMEM;
	cq->core = core;
	cq->ring = fw_create_ring(MLX5_ADDR_OF(create_cq_in, in, pas),
				  1u << MLX5_GET(cqc, context, log_cq_size), FW_CQE_BYTES);
	if (!cq->ring ||
	    xa_alloc(&fw_cqs, &core->cqn, cq, XA_LIMIT(1, 0xffffff), GFP_KERNEL)) {
		kfree(cq->ring);
		kfree(cq);
		return -ENOMEM;
	}
	return 0;
}
EXPORT_SYMBOL(mlx5_core_create_cq);

int mlx5_core_destroy_cq(struct mlx5_core_dev *dev, struct mlx5_core_cq *core)
{
	struct fw_cq *cq = xa_erase(&fw_cqs, core->cqn);

	if (!cq)
		return -EINVAL;
	kfree(cq->ring);
	kfree(cq);
	return 0;
}
EXPORT_SYMBOL(mlx5_core_destroy_cq);

/* Interrupts of the PF, of which one is enough, and none is raised: completions call back. */
int mlx5_comp_eqn_get(struct mlx5_core_dev *dev, u16 vecidx, int *eqn)
{
	*eqn = 0;
	return 0;
}
EXPORT_SYMBOL(mlx5_comp_eqn_get);

unsigned int mlx5_comp_vectors_max(struct mlx5_core_dev *dev)
{
	return 1;
}
EXPORT_SYMBOL(mlx5_comp_vectors_max);

int mlx5_eq_notifier_register(struct mlx5_core_dev *dev, struct mlx5_nb *nb)
{
	return 0;
}
EXPORT_SYMBOL(mlx5_eq_notifier_register);

int mlx5_eq_notifier_unregister(struct mlx5_core_dev *dev, struct mlx5_nb *nb)
{
	return 0;
}
EXPORT_SYMBOL(mlx5_eq_notifier_unregister);

bool mlx5_is_roce_on(struct mlx5_core_dev *dev)
{
	return false;
}
EXPORT_SYMBOL(mlx5_is_roce_on);

/* Doorbells: memory that nobody listens at. */
struct mlx5_uars_page *mlx5_get_uars_page(struct mlx5_core_dev *mdev)
{
	struct mlx5_uars_page *uars = kzalloc(sizeof(*uars), GFP_KERNEL);
	unsigned long page = get_zeroed_page(GFP_KERNEL);

	if (!uars || !page) {
		kfree(uars);
		free_page(page);
		return ERR_PTR(-ENOMEM);
	}
	uars->map = (void __iomem *)page;
	return uars;
}
EXPORT_SYMBOL(mlx5_get_uars_page);

void mlx5_put_uars_page(struct mlx5_core_dev *mdev, struct mlx5_uars_page *uars)
{
	free_page((unsigned long)uars->map);
	kfree(uars);
}
EXPORT_SYMBOL(mlx5_put_uars_page);

int mlx5_db_alloc_node(struct mlx5_core_dev *dev, struct mlx5_db *db, int node)
{
	unsigned long page = get_zeroed_page(GFP_KERNEL);

	if (!page)
		return -ENOMEM;
	db->db = (__be32 *)page;
	db->dma = virt_to_phys(db->db);
	return 0;
}
EXPORT_SYMBOL(mlx5_db_alloc_node);

void mlx5_db_free(struct mlx5_core_dev *dev, struct mlx5_db *db)
{
	free_page((unsigned long)db->db);
}
EXPORT_SYMBOL(mlx5_db_free);

int mlx5_frag_buf_alloc_node(struct mlx5_core_dev *dev, int size, struct mlx5_frag_buf *buf,
			     int node)
{
	buf->size = size;
	buf->npages = DIV_ROUND_UP(size, PAGE_SIZE);
	buf->page_shift = PAGE_SHIFT;
	buf->frags = kcalloc(buf->npages, sizeof(*buf->frags), GFP_KERNEL);
	if (!buf->frags)
		return -ENOMEM;
	for (int i = 0; i < buf->npages; i++) {
		buf->frags[i].buf = (void *)get_zeroed_page(GFP_KERNEL);
		if (!buf->frags[i].buf) {
			mlx5_frag_buf_free(dev, buf);
			return -ENOMEM;
		}
		buf->frags[i].map = virt_to_phys(buf->frags[i].buf);
	}
	return 0;
}
EXPORT_SYMBOL(mlx5_frag_buf_alloc_node);

void mlx5_frag_buf_free(struct mlx5_core_dev *dev, struct mlx5_frag_buf *buf)
{
	for (int i = 0; i < buf->npages; i++)
		free_page((unsigned long)buf->frags[i].buf);
	kfree(buf->frags);
}
EXPORT_SYMBOL(mlx5_frag_buf_free);

void mlx5_fill_page_frag_array(struct mlx5_frag_buf *buf, __be64 *pas)
{
	for (int i = 0; i < buf->npages; i++)
		pas[i] = cpu_to_be64(buf->frags[i].map);
}
EXPORT_SYMBOL(mlx5_fill_page_frag_array);
