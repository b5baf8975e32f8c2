// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <unistd.h>

#include "fake.h"

// VFIO_DEVICE_FEATURE: the flags of the request, and the features in the order of their numbers.
enum {
  kGet = 0x10000,
  kSet = 0x20000,
  kProbe = 0x40000,
  kOperations = 0x70000,
  kReserved = ~0x7ffff
};

struct header {
  uint32_t argsz, flags;
};
struct mig_state {
  uint32_t state;
  int32_t fd;
};
struct log_start {
  uint64_t page_size;
  uint32_t ranges, reserved;
  uint64_t pointer;
};
struct log_report {
  uint64_t iova, length, page_size, pointer;
};

static long get_flags(struct device* d, void* data) {
  uint64_t flags = (uint64_t)d->flags;
  copy(data, &flags, sizeof flags);
  return 0;
}

static long get_state(struct device* d, void* data) {
  lock_state(d);
  struct mig_state s = {(uint32_t)d->state, -1};
  copy(data, &s, sizeof s);
  unlock_state(d);
  return 0;
}

// The state has moved whatever becomes of the fd: with a full table it is EMFILE, and the session
// is nobody's.
static long do_set_state(struct device* d, void* data, long after) {
  struct mig_state s;
  struct session* opened = NULL;
  copy(&s, data, sizeof s);
  long result = set_state(d, (int)s.state, &opened);
  s.fd = -1;
  if (result == 0 && after < 0) result = after;
  if (result == 0 && opened != NULL) {
    long fd = data_fd(opened);
    if (fd < 0)
      result = fd;
    else
      s.fd = (int32_t)fd;
  }
  copy(data, &s, sizeof s);
  return result;
}

static long get_data_size(struct device* d, void* data) {
  lock_state(d);
  long error = d->manner == kMlx5 ? command(d, "QUERY") : 0;
  if (error == 0) copy(data, &d->data_size, sizeof d->data_size);
  unlock_state(d);
  return error;
}

static long opt_in(struct device* d, void* data) {
  (void)data;
  d->info_v2 = true;
  return 0;
}

static long check_range(const struct dma_range* ranges, uint32_t i, uint64_t page_size) {
  struct dma_range r = ranges[i];
  note("range %x %x", r.iova, r.length);
  // As the kernel's IS_ALIGNED asks, which takes any number for a power of two.
  if ((r.iova & (page_size - 1)) != 0 || (r.length & (page_size - 1)) != 0) return -EINVAL;
  if (r.length > 0 && r.iova + (r.length - 1) < r.iova) return -EOVERFLOW;
  for (uint32_t k = 0; k < i; k++)
    if (r.iova < ranges[k].iova + ranges[k].length && ranges[k].iova < r.iova + r.length)
      return -EINVAL;
  return 0;
}

// mlx5's: between 4 KiB and 2 MiB, and not more than 4 TiB in all.
static long start_tracker(const struct device* d, struct log_start* c) {
  uint64_t span = 0, page_size = 4096;
  if (d->logging) return -EINVAL;
  for (uint32_t i = 0; i < c->ranges; i++) span += ((const struct dma_range*)c->pointer)[i].length;
  if (span > 1ULL << 42) return -EOPNOTSUPP;
  while (page_size * 2 <= c->page_size && page_size < 2 << 20) page_size *= 2;
  c->page_size = page_size;
  return 0;
}

// The driver chooses 4 KiB where it is asked for more than 2 MiB, so that a test sees which number
// is answered.
static long start_log(struct device* d, void* data) {
  struct log_start c;
  copy(&c, data, sizeof c);
  note("log start page_size=%x ranges=%d", c.page_size, (long)c.ranges);
  if (c.reserved != 0) mismatch("log start reserved %x", (uint64_t)c.reserved);
  if (c.ranges == 0) return -EINVAL;
  if (c.ranges > 256) return -E2BIG;
  if (c.pointer == 0) return -EFAULT;
  for (uint32_t i = 0; i < c.ranges; i++) {
    long error = check_range((const struct dma_range*)c.pointer, i, c.page_size);
    if (error < 0) return error;
  }
  if (d->model && d->manner == kMlx5) {
    long error = start_tracker(d, &c);
    if (error < 0) return error;
  } else if (d->manner == kMlx5 && c.page_size > 2 << 20) {
    c.page_size = 4096;
  }
  d->logging = true;
  copy(data, &c, sizeof c);
  return 0;
}

static long stop_log(struct device* d, void* data) {
  (void)data;
  d->logging = false;
  return 0;
}

// Bits are OR-ed into what is there.
static long report_log(struct device* d, void* data) {
  struct log_report r;
  copy(&r, data, sizeof r);
  note("log report iova=%x length=%x page_size=%x", r.iova, r.length, r.page_size);
  if (r.page_size < 4096 || (r.page_size & (r.page_size - 1)) != 0) return -EINVAL;
  if (r.length == 0 || r.iova + (r.length - 1) < r.iova) return -EOVERFLOW;
  if (d->model && d->manner == kMtty) return 0;
  if (!d->logging) return -EINVAL;
  int left = 0;
  for (int i = 0; i < d->dirty_pages; i++) {
    uint64_t at = d->dirty_iova[i] - r.iova;
    if (d->dirty_iova[i] < r.iova || at >= r.length) {
      d->dirty_iova[left++] = d->dirty_iova[i];
      continue;
    }
    if (r.pointer == 0) return -EFAULT;
    uint64_t bit = at / r.page_size;
    ((unsigned char*)r.pointer)[bit / 8] |= (unsigned char)(1 << bit % 8);
  }
  d->dirty_pages = left;
  return 0;
}

static const struct feature {
  const char* get_name;
  const char* set_name;
  uint32_t operations, data_bytes;
  long (*get)(struct device*, void*);
  long (*set)(struct device*, void*);
} features[] = {
    [1] = {"MIGRATION", NULL, kGet, 8, get_flags, NULL},
    [2] = {"GET_STATE", "SET_STATE", kGet | kSet, 8, get_state, NULL},
    [6] = {NULL, "LOG_START", kSet, 24, NULL, start_log},
    [7] = {NULL, "LOG_STOP", kSet, 0, NULL, stop_log},
    [8] = {"LOG_REPORT", NULL, kGet, 32, report_log, NULL},
    [9] = {"DATA_SIZE", NULL, kGet, 8, get_data_size, NULL},
    [12] = {NULL, "INFOV2", kSet, 0, NULL, opt_in},
};

static bool known(uint32_t id) {
  if (id == 12 && kernel_version < 702) return false;
  return id < sizeof features / sizeof *features && features[id].operations != 0;
}

static long supported(const struct device* d, uint32_t id) {
  if (id == 12) return d->flags & 4 ? 0 : -EINVAL;
  if (id >= 6 && id <= 8) return d->has_logging ? 0 : -ENOTTY;
  return d->flags != 0 ? 0 : -ENOTTY;
}

static long run_set_state(struct device* d, void* data) {
  int index = (int)(d - devices);
  uint32_t target;
  copy(&target, data, sizeof target);
  lock_state(d);
  struct verdict v = gate("SET_STATE", index);
  long result = v.error < 0 ? v.error : do_set_state(d, data, v.after);
  note("SET_STATE %d %d = %d", (long)index, (long)target, result);
  unlock_state(d);
  return result;
}

static long run_feature(struct device* d, const struct feature* f, uint32_t flags, void* data) {
  int index = (int)(d - devices);
  if (f->set_name != NULL && flags & kSet && same(f->set_name, "SET_STATE"))
    return run_set_state(d, data);
  const char* name = flags & kGet ? f->get_name : f->set_name;
  struct verdict v = gate(name, index);
  long result = v.error < 0 ? v.error : (flags & kGet ? f->get : f->set)(d, data);
  note("%s %d = %d", name, (long)index, result);
  return result;
}

// The checks, in the order of the kernel's vfio_ioctl_device_feature and vfio_check_feature.
static long feature(struct device* d, void* argument) {
  struct header h;
  if (argument == NULL) return -EFAULT;
  copy(&h, argument, sizeof h);
  uint32_t id = h.flags & 0xffff, operations = h.flags & (kGet | kSet);
  if (h.argsz < sizeof h || h.flags & kReserved) return -EINVAL;
  if (operations == (kGet | kSet) && !(h.flags & kProbe)) return -EINVAL;
  if (!known(id)) {
    note("feature %d flags=%x = -25", (long)id, (uint64_t)(h.flags & kOperations));
    return -ENOTTY;
  }
  long error = supported(d, id);
  if (error == 0 && operations & ~features[id].operations) error = -EINVAL;
  if (error == 0 && h.flags & kProbe) error = gate("PROBE", (int)(d - devices)).error;
  if (error < 0 || h.flags & kProbe) {
    note("%s %d %x = %d", h.flags & kProbe ? "PROBE" : "refused", (long)(d - devices),
         (uint64_t)h.flags, error);
    return error;
  }
  if (operations == 0) return -EINVAL;
  if (h.argsz != sizeof h + features[id].data_bytes)
    mismatch("feature %d argsz %d", (long)id, (long)h.argsz);
  if (h.argsz - sizeof h < features[id].data_bytes) return -EINVAL;
  return run_feature(d, &features[id], h.flags, (char*)argument + sizeof h);
}

// ---- information

static long get_info(struct device* d, void* argument) {
  struct {
    uint32_t argsz, flags, regions, irqs, cap_offset, pad;
  } info = {0, 0x3, 9, 5, 0, 0};
  if (argument == NULL) return -EFAULT;
  copy(&info.argsz, argument, sizeof info.argsz);
  if (info.argsz < 16) return -EINVAL;
  uint32_t bytes = info.argsz < sizeof info ? info.argsz : sizeof info;
  if (d->manner == kMtty) bytes = 16, info.flags = 0x2;
  copy(argument, &info, bytes);
  return 0;
}

// With too small an argsz the size that is needed is answered, and success.
static long get_region_info(struct device* d, void* argument) {
  struct {
    uint32_t argsz, flags, index, cap_offset;
    uint64_t size, offset;
  } info;
  if (argument == NULL) return -EFAULT;
  copy(&info, argument, sizeof info);
  note("region info %d argsz=%d", (long)info.index, (long)info.argsz);
  if (info.argsz < sizeof info || info.index >= kRegions) return -EINVAL;
  uint32_t caps = d->region[info.index].cap_bytes;
  info.flags = d->region[info.index].flags | (caps > 0 ? 8 : 0);
  info.size = d->region[info.index].size;
  info.offset = d->region[info.index].offset;
  info.cap_offset = 0;
  if (caps > 0 && info.argsz < sizeof info + caps) {
    info.argsz = (uint32_t)sizeof info + caps;
  } else if (caps > 0) {
    info.cap_offset = d->region[info.index].cap_offset;
    copy((char*)argument + sizeof info, d->region[info.index].caps, caps);
  }
  copy(argument, &info, sizeof info);
  return 0;
}

static long run(const char* name, struct device* d, long (*call)(struct device*, void*),
                void* argument) {
  int index = (int)(d - devices);
  struct verdict v = gate(name, index);
  long result = v.error < 0 ? v.error : call(d, argument);
  note("%s %d = %d", name, (long)index, result);
  return result;
}

static long do_reset(struct device* d, void* argument) {
  (void)argument;
  reset_device(d);
  return 0;
}

long device_ioctl(int index, unsigned long request, void* argument) {
  struct device* d = &devices[index];
  switch (request) {
    case 0x3b6b:
      return run("GET_INFO", d, get_info, argument);
    case 0x3b6c:
      return run("GET_REGION_INFO", d, get_region_info, argument);
    case 0x3b6f:
      return run("RESET", d, do_reset, argument);
    case 0x3b75:
      return feature(d, argument);
  }
  mismatch("device ioctl %x", (uint64_t)request);
  return -ENOTTY;
}

long device_access(int index, void* bytes, size_t length, off_t offset, bool write) {
  const char* name = write ? "pwrite" : "pread";
  uint64_t region = (uint64_t)offset >> 40, at = (uint64_t)offset & ((1ULL << 40) - 1);
  struct verdict v = gate(name, index);
  long result = (long)length;
  if (v.error < 0)
    result = v.error;
  else if (region >= kRegions || at >= kRegionBytes)
    result = -EINVAL;
  else if (at + length > kRegionBytes)
    result = (long)(kRegionBytes - at);
  if (v.cut > 0 && result > v.cut) result = v.cut;
  if (result > 0 && write) copy(&devices[index].bytes[region][at], bytes, (size_t)result);
  if (result > 0 && !write) copy(bytes, &devices[index].bytes[region][at], (size_t)result);
  note("%s %d %x+%x bytes=%d = %d", name, (long)index, region, at, (long)length, result);
  return result;
}
