// SPDX-License-Identifier: Apache-2.0
// The yardstick of the migration engine: the same work in the least code. It moves one device into
// another, both open and lent to it by their numbers:
//
//   move SOURCE DESTINATION ROUNDS READ_BYTES
//
// ROUNDS is how often precopy info is asked, and taken what it promised; "none" leaves pre-copy
// out. Answers a line of JSON, times in ms of CLOCK_MONOTONIC. The device that was moved is in STOP
// then and the other one RUNNING. Anything unexpected ends it with a word on stderr and status 1,
// the devices where they are.
#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { MAX_ARCS = 16, WAIT_MS = 20000 };

static const char* const names[] = {
    [VFIO_DEVICE_STATE_STOP] = "STOP",
    [VFIO_DEVICE_STATE_RUNNING] = "RUNNING",
    [VFIO_DEVICE_STATE_STOP_COPY] = "STOP_COPY",
    [VFIO_DEVICE_STATE_RESUMING] = "RESUMING",
    [VFIO_DEVICE_STATE_RUNNING_P2P] = "RUNNING_P2P",
    [VFIO_DEVICE_STATE_PRE_COPY] = "PRE_COPY",
    [VFIO_DEVICE_STATE_PRE_COPY_P2P] = "PRE_COPY_P2P",
};

struct side {
  const char* name;
  int device;
  int data;
  uint32_t state;
};

static struct {
  const char *side, *from, *to;
  double ms;
} arcs[MAX_ARCS];
static int arc_count;

static char* buffer;
static size_t read_bytes;

static double now(void) {
  struct timespec time;

  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1e3 + time.tv_nsec / 1e6;
}

static _Noreturn void fail(const char* what) {
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  exit(1);
}

// One arc, of which the caller knows that it is one. A data_fd that comes with it is kept.
static void go(struct side* side, uint32_t to) {
  _Alignas(8) char
      bytes[sizeof(struct vfio_device_feature) + sizeof(struct vfio_device_feature_mig_state)];
  struct vfio_device_feature* feature = (struct vfio_device_feature*)bytes;
  struct vfio_device_feature_mig_state state = {.device_state = to, .data_fd = -1};
  double begun = now();

  *feature = (struct vfio_device_feature){
      .argsz = sizeof(bytes),
      .flags = VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE,
  };
  memcpy(feature->data, &state, sizeof(state));
  if (ioctl(side->device, VFIO_DEVICE_FEATURE, feature)) fail(names[to]);
  memcpy(&state, feature->data, sizeof(state));
  if (state.data_fd >= 0) side->data = state.data_fd;
  arcs[arc_count].side = side->name;
  arcs[arc_count].from = names[side->state];
  arcs[arc_count].to = names[to];
  arcs[arc_count++].ms = now() - begun;
  side->state = to;
}

static void write_all(int fd, const char* from, size_t bytes) {
  while (bytes > 0) {
    ssize_t written = write(fd, from, bytes);

    if (written < 0) fail("write");
    from += written;
    bytes -= written;
  }
}

static void wait_for_data(int fd) {
  struct pollfd readable = {.fd = fd, .events = POLLIN};

  if (poll(&readable, 1, WAIT_MS) != 1) fail("poll");
}

// Until there is nothing to read now. Returns how much was moved.
static size_t copy(const struct side* source, const struct side* destination) {
  size_t moved = 0;

  for (;;) {
    ssize_t count = read(source->data, buffer, read_bytes);

    if (count > 0) {
      write_all(destination->data, buffer, count);
      moved += count;
    } else if (count == 0 || errno == ENOMSG) {
      return moved;
    } else if (errno == EAGAIN) {
      wait_for_data(source->data);
    } else {
      fail("read");
    }
  }
}

// One question, and what it announces: the image arrives as one, when its SAVE has ended.
static size_t copy_round(const struct side* source, const struct side* destination) {
  struct vfio_precopy_info info = {.argsz = sizeof(info)};

  if (ioctl(source->data, VFIO_MIG_GET_PRECOPY_INFO, &info)) fail("VFIO_MIG_GET_PRECOPY_INFO");
  if (info.initial_bytes + info.dirty_bytes == 0) return 0;
  wait_for_data(source->data);
  return copy(source, destination);
}

static void make_nonblocking(int fd) {
  if (fcntl(fd, F_SETFL, O_NONBLOCK)) fail("fcntl");
}

static size_t precopy(struct side* source, const struct side* destination, int rounds) {
  size_t moved = 0;

  go(source, VFIO_DEVICE_STATE_PRE_COPY);
  make_nonblocking(source->data);
  for (int i = 0; i < rounds; i++) moved += copy_round(source, destination);
  return moved;
}

static void stop_and_save(struct side* source, int has_precopy) {
  if (has_precopy) {
    go(source, VFIO_DEVICE_STATE_PRE_COPY_P2P);
  } else {
    go(source, VFIO_DEVICE_STATE_RUNNING_P2P);
    go(source, VFIO_DEVICE_STATE_STOP);
  }
  go(source, VFIO_DEVICE_STATE_STOP_COPY);
  make_nonblocking(source->data);
}

static void tell_arcs(void) {
  for (int i = 0; i < arc_count; i++)
    printf("%s\"%s %s -> %s\":%.3f", i ? "," : "", arcs[i].side, arcs[i].from, arcs[i].to,
           arcs[i].ms);
}

static struct side lent(const char* name, const char* number) {
  return (struct side){
      .name = name, .device = atoi(number), .data = -1, .state = VFIO_DEVICE_STATE_RUNNING};
}

int main(int argc, char* argv[]) {
  if (argc != 5) {
    fputs("usage: move SOURCE DESTINATION ROUNDS|none READ_BYTES\n", stderr);
    return 2;
  }
  struct side source = lent("source", argv[1]), destination = lent("destination", argv[2]);
  int has_precopy = strcmp(argv[3], "none") != 0;
  size_t precopied = 0, bytes;
  double begun, stopped, running;

  read_bytes = atol(argv[4]);
  buffer = malloc(read_bytes);
  if (!buffer) fail("malloc");
  memset(buffer, 1, read_bytes);  // its pages are there before anything is timed

  begun = now();
  go(&destination, VFIO_DEVICE_STATE_RUNNING_P2P);
  go(&destination, VFIO_DEVICE_STATE_STOP);
  go(&destination, VFIO_DEVICE_STATE_RESUMING);
  if (has_precopy) precopied = precopy(&source, &destination, atoi(argv[3]));
  stopped = now();
  stop_and_save(&source, has_precopy);
  bytes = precopied + copy(&source, &destination);
  go(&destination, VFIO_DEVICE_STATE_STOP);
  go(&destination, VFIO_DEVICE_STATE_RUNNING_P2P);
  go(&destination, VFIO_DEVICE_STATE_RUNNING);
  running = now();
  go(&source, VFIO_DEVICE_STATE_STOP);

  printf("{\"downtimeMs\":%.3f,\"totalMs\":%.3f,\"bytes\":%zu,\"precopyBytes\":%zu,\"arcs\":{",
         running - stopped, running - begun, bytes, precopied);
  tell_arcs();
  puts("}}");
  return 0;
}
