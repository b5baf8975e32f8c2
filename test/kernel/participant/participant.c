// SPDX-License-Identifier: Apache-2.0
// What a VMM is to a device: it maps memory for it, lets it master the bus and takes its
// interrupts.
//
//   participant CDEV...    obeys a line at a time from its standard input, and answers a line each:
//     map I | unmap I                  a page of memory at IOVA, without which DMA does not arrive
//     master I 1 | 0                   the bit of the PCI command register
//     irqs I | noirqs I                an eventfd for the first vector, and none
//     wait I                           for the next interrupt; answers the beat that is in memory
//     beat I                           that beat, without waiting
//     lend PROGRAM ARGUMENTS...        runs it with all devices, fd and iommufd in turn, from fd 3
//     on
#include <poll.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "device.h"

enum { MAX_DEVICES = 2, MAX_WORDS = 16, WAIT_MS = 20000, FIRST_LENT_FD = 3 };

#define IOVA 0x100000
#define MEMORY_BYTES 8192

struct beat {
  uint64_t counter, seed, epoch, digest;
};

struct participant {
  struct device device;
  uint32_t ioas;
  void* memory;
  int eventfd;
};

static struct participant participants[MAX_DEVICES];
static int count;

static void attach(struct participant* p, const char* cdev) {
  struct iommu_ioas_alloc alloc = {.size = sizeof(alloc)};
  struct vfio_device_attach_iommufd_pt attach = {.argsz = sizeof(attach)};

  p->device = open_device(cdev);
  p->eventfd = must(eventfd(0, EFD_CLOEXEC), "eventfd");
  p->memory = mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  must(p->memory == MAP_FAILED ? -1 : 0, "mmap");
  must(ioctl(p->device.iommufd, IOMMU_IOAS_ALLOC, &alloc), "IOMMU_IOAS_ALLOC");
  p->ioas = attach.pt_id = alloc.out_ioas_id;
  must(ioctl(p->device.fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach),
       "VFIO_DEVICE_ATTACH_IOMMUFD_PT");
}

static void map(struct participant* p) {
  struct iommu_ioas_map map = {
      .size = sizeof(map),
      .flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE | IOMMU_IOAS_MAP_WRITEABLE,
      .ioas_id = p->ioas,
      .user_va = (uintptr_t)p->memory,
      .length = MEMORY_BYTES,
      .iova = IOVA,
  };
  must(ioctl(p->device.iommufd, IOMMU_IOAS_MAP, &map), "IOMMU_IOAS_MAP");
}

static void unmap(struct participant* p) {
  struct iommu_ioas_unmap unmap = {
      .size = sizeof(unmap), .ioas_id = p->ioas, .iova = IOVA, .length = MEMORY_BYTES};
  must(ioctl(p->device.iommufd, IOMMU_IOAS_UNMAP, &unmap), "IOMMU_IOAS_UNMAP");
}

static void set_master(struct participant* p, int is_master) {
  const uint16_t bus_master = 4;
  struct vfio_region_info config = {.argsz = sizeof(config), .index = VFIO_PCI_CONFIG_REGION_INDEX};
  const off_t at_command = 4;
  uint16_t command;

  must(ioctl(p->device.fd, VFIO_DEVICE_GET_REGION_INFO, &config), "VFIO_DEVICE_GET_REGION_INFO");
  must(pread(p->device.fd, &command, sizeof(command), config.offset + at_command), "pread");
  command = is_master ? command | bus_master : command & ~bus_master;
  must(pwrite(p->device.fd, &command, sizeof(command), config.offset + at_command), "pwrite");
}

static void set_irqs(struct participant* p, int is_on) {
  _Alignas(8) char buffer[sizeof(struct vfio_irq_set) + sizeof(int32_t)];
  struct vfio_irq_set* set = (struct vfio_irq_set*)buffer;

  *set = (struct vfio_irq_set){
      .argsz = sizeof(*set) + (is_on ? sizeof(int32_t) : 0),
      .flags = VFIO_IRQ_SET_ACTION_TRIGGER |
               (is_on ? VFIO_IRQ_SET_DATA_EVENTFD : VFIO_IRQ_SET_DATA_NONE),
      .index = VFIO_PCI_MSIX_IRQ_INDEX,
      .count = is_on ? 1 : 0,
  };
  memcpy(set->data, &p->eventfd, sizeof(int32_t));
  must(ioctl(p->device.fd, VFIO_DEVICE_SET_IRQS, set), "VFIO_DEVICE_SET_IRQS");
}

static void tell_beat(const struct participant* p) {
  const struct beat* beat = p->memory;

  printf("%lu %lu %lu %016lx\n", beat->counter, beat->seed, beat->epoch, beat->digest);
}

static void wait_for_beat(struct participant* p) {
  struct pollfd interrupt = {.fd = p->eventfd, .events = POLLIN};
  uint64_t interrupts;

  if (must(poll(&interrupt, 1, WAIT_MS), "poll") == 0) {
    puts("none");
    return;
  }
  must(read(p->eventfd, &interrupts, sizeof(interrupts)), "read");
  tell_beat(p);
}

static void exec_with_devices(char* const words[]) {
  int fd = FIRST_LENT_FD + 2 * MAX_DEVICES;

  // Out of the way first: one of them may have a number that another one is to get.
  for (int i = 0; i < count; i++) {
    struct device* device = &participants[i].device;
    device->fd = must(fcntl(device->fd, F_DUPFD_CLOEXEC, fd), "fcntl");
    device->iommufd = must(fcntl(device->iommufd, F_DUPFD_CLOEXEC, fd), "fcntl");
  }
  for (int i = 0; i < count; i++) {
    must(dup2(participants[i].device.fd, FIRST_LENT_FD + 2 * i), "dup2");
    must(dup2(participants[i].device.iommufd, FIRST_LENT_FD + 2 * i + 1), "dup2");
  }
  must(dup2(STDERR_FILENO, STDOUT_FILENO), "dup2");
  execv(words[0], words);
  must(-1, words[0]);
}

static void lend(char* const words[]) {
  int status;
  pid_t pid = must(fork(), "fork");

  if (pid == 0) exec_with_devices(words);
  must(waitpid(pid, &status, 0), "waitpid");
  printf("%d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

static void obey(char* words[], int words_count) {
  const char* order = words[0];
  int index = words_count > 1 ? atoi(words[1]) : 0;
  struct participant* p = &participants[index];

  if (strcmp(order, "lend") == 0) {
    lend(words + 1);
    return;
  }
  if (index < 0 || index >= count) {
    puts("which?");
    return;
  }
  if (strcmp(order, "wait") == 0) {
    wait_for_beat(p);
    return;
  }
  if (strcmp(order, "beat") == 0) {
    tell_beat(p);
    return;
  }
  if (strcmp(order, "map") == 0)
    map(p);
  else if (strcmp(order, "unmap") == 0)
    unmap(p);
  else if (strcmp(order, "master") == 0)
    set_master(p, words_count > 2 && atoi(words[2]));
  else if (strcmp(order, "irqs") == 0)
    set_irqs(p, 1);
  else if (strcmp(order, "noirqs") == 0)
    set_irqs(p, 0);
  puts("done");
}

int main(int argc, char* argv[]) {
  char line[4096];

  setvbuf(stdout, NULL, _IOLBF, 0);
  for (count = 0; count < argc - 1 && count < MAX_DEVICES; count++)
    attach(&participants[count], argv[count + 1]);
  puts("ready");
  while (fgets(line, sizeof(line), stdin)) {
    char* words[MAX_WORDS + 1] = {NULL};
    int words_count = 0;

    for (char* word = strtok(line, " \n"); word && words_count < MAX_WORDS;
         word = strtok(NULL, " \n"))
      words[words_count++] = word;
    if (words_count > 0) obey(words, words_count);
  }
  return 0;
}
