// SPDX-License-Identifier: GPL-2.0-only
/*
 * The image of a state, into and out of a buffer that is not contiguous. No
 * word of it crosses the end of a page of the buffer.
 */
#include <linux/build_bug.h>
#include <linux/mlx5/device.h>
#include <linux/sched.h>
#include <linux/sizes.h>

#include "firmware.h"

#define FW_STRIDE 0x9e3779b9u

static_assert(sizeof(struct fw_image) == 80);

__le32 fw_image_check(const struct fw_image *header)
{
	const __le32 *words = (const __le32 *)header;
	u32 check = 0;
	int i;

	for (i = 0; i < offsetof(struct fw_image, check) / sizeof(*words); i++)
		check = fw_mix(check ^ le32_to_cpu(words[i]));
	return cpu_to_le32(check);
}

/* A place in a buffer, and the words from there to the end of the buffer's page. */
struct fw_cursor {
	const struct fw_memory *memory;
	u64 offset;
	__le32 *word;
	u32 words;
};

/* Steps over as many of the next words as lie together, and says how many they are. */
static __le32 *fw_next_words(struct fw_cursor *cursor, u32 *count)
{
	__le32 *first;

	if (!cursor->words) {
		u32 bytes;

		cursor->word = fw_memory_at(cursor->memory, cursor->offset, &bytes);
		cursor->words = bytes / sizeof(__le32);
		cursor->offset += bytes;
	}
	*count = min(*count, cursor->words);
	first = cursor->word;
	cursor->word += *count;
	cursor->words -= *count;
	return first;
}

static __le32 *fw_next(struct fw_cursor *cursor)
{
	u32 one = 1;

	return fw_next_words(cursor, &one);
}

/* What the words of a page after its first two begin with. */
static u32 fw_content(u32 page, u32 version, u64 seed)
{
	u32 h = fw_mix(fw_mix(page + FW_STRIDE) ^ version);

	return fw_mix(fw_mix(h ^ lower_32_bits(seed)) ^ upper_32_bits(seed));
}

static void fw_write_page(struct fw_cursor *cursor, const struct fw_page_version *page,
			  u64 seed, u32 words)
{
	u32 h = fw_content(page->page, page->version, seed), k = 2, count, i;

	*fw_next(cursor) = cpu_to_le32(page->page);
	*fw_next(cursor) = cpu_to_le32(page->version);
	for (; k < words; k += count) {
		__le32 *to;

		count = words - k;
		to = fw_next_words(cursor, &count);
		for (i = 0; i < count; i++)
			to[i] = cpu_to_le32(h + (k + i) * FW_STRIDE);
	}
}

/* Compares what comes after the page's first two words. */
static bool fw_is_page(struct fw_cursor *cursor, const struct fw_page_version *page, u64 seed,
		       u32 words)
{
	u32 h = fw_content(page->page, page->version, seed), k = 2, count, i;

	for (; k < words; k += count) {
		const __le32 *from;

		count = words - k;
		from = fw_next_words(cursor, &count);
		for (i = 0; i < count; i++)
			if (le32_to_cpu(from[i]) != h + (k + i) * FW_STRIDE)
				return false;
	}
	return true;
}

void fw_image_write(const struct fw_memory *memory, const struct fw_save_plan *plan)
{
	const __le32 *words = (const __le32 *)&plan->header;
	struct fw_cursor cursor = { .memory = memory };
	u64 size = le64_to_cpu(plan->header.size);
	u64 seed = le64_to_cpu(plan->header.seed);
	u32 i;

	for (i = 0; i < sizeof(plan->header) / sizeof(*words); i++)
		*fw_next(&cursor) = words[i];
	for (i = 0; i < plan->count; i++) {
		const struct fw_page_version *page = &plan->pages[i];

		fw_write_page(&cursor, page, seed,
			      fw_page_bytes(size, page->page) / sizeof(__le32));
		cond_resched();
	}
}

/* The bytes that the pages of an image take: with the state's last page, and without. */
static bool fw_is_length(u32 length, const struct fw_image *header)
{
	u64 size = le64_to_cpu(header->size);
	u64 whole = sizeof(*header) + (u64)le32_to_cpu(header->pages) * FW_PAGE;
	u32 total = fw_pages_of(size);

	if (le32_to_cpu(header->pages) > total)
		return false;
	return length == whole || (header->pages && length == whole - FW_PAGE +
						    fw_page_bytes(size, total - 1));
}

static bool fw_is_header(u32 length, const struct fw_image *header)
{
	u64 size = le64_to_cpu(header->size);
	u32 flags = le32_to_cpu(header->flags);

	return header->check == fw_image_check(header) &&
	       le32_to_cpu(header->magic) == FW_IMAGE_MAGIC &&
	       le32_to_cpu(header->format) == FW_IMAGE_FORMAT && !header->zero &&
	       size >= SZ_1K && size <= SZ_1G && size % SZ_1K == 0 && header->id &&
	       !(flags & ~(FW_IMAGE_INCREMENTAL | FW_IMAGE_LAST_CHUNK | FW_IMAGE_FINAL)) &&
	       !!(flags & FW_IMAGE_INCREMENTAL) == !!header->base &&
	       fw_is_length(length, header);
}

/* Returns a firmware status. */
int fw_image_read_header(const struct fw_memory *memory, u32 length, struct fw_image *header)
{
	__le32 *words = (__le32 *)header;
	struct fw_cursor cursor = { .memory = memory };
	u32 i;

	if (length < sizeof(*header) || length > fw_memory_bytes(memory))
		return MLX5_CMD_STAT_BAD_PARAM_ERR;
	for (i = 0; i < sizeof(*header) / sizeof(*words); i++)
		words[i] = *fw_next(&cursor);
	return fw_is_header(length, header) ? 0 : MLX5_CMD_STAT_BAD_PARAM_ERR;
}

/* Compares every byte of the pages, and says which they are. Returns a firmware status. */
int fw_image_read_pages(const struct fw_memory *memory, u32 length,
			const struct fw_image *header, struct fw_page_version *pages)
{
	struct fw_cursor cursor = { .memory = memory, .offset = sizeof(*header) };
	u64 size = le64_to_cpu(header->size), seed = le64_to_cpu(header->seed);
	u32 count = le32_to_cpu(header->pages), total = fw_pages_of(size);
	u64 offset = sizeof(*header);
	u32 i, bytes;

	for (i = 0; i < count; i++) {
		pages[i].page = le32_to_cpu(*fw_next(&cursor));
		pages[i].version = le32_to_cpu(*fw_next(&cursor));
		if (pages[i].page >= total || (i && pages[i].page <= pages[i - 1].page))
			return MLX5_CMD_STAT_BAD_PARAM_ERR;
		bytes = fw_page_bytes(size, pages[i].page);
		offset += bytes;
		if (offset > length ||
		    !fw_is_page(&cursor, &pages[i], seed, bytes / sizeof(__le32)))
			return MLX5_CMD_STAT_BAD_PARAM_ERR;
		cond_resched();
	}
	return offset == length ? 0 : MLX5_CMD_STAT_BAD_PARAM_ERR;
}
