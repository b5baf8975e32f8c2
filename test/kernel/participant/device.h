// SPDX-License-Identifier: Apache-2.0
// A device as a VMM has it: opened by its cdev, bound to an iommufd of its own.
#ifndef VFIO_MIGRATE_PARTICIPANT_DEVICE_H
#define VFIO_MIGRATE_PARTICIPANT_DEVICE_H

#include <errno.h>
#include <fcntl.h>
#include <linux/iommufd.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct device {
  int fd;
  int iommufd;
};

// Nothing here can go on without what it asked for.
static inline int must(int result, const char* what) {
  if (result >= 0) return result;
  fprintf(stderr, "%s: %s\n", what, strerror(errno));
  exit(1);
}

static inline struct device open_device(const char* cdev) {
  struct device device = {
      .fd = must(open(cdev, O_RDWR | O_CLOEXEC), cdev),
      .iommufd = must(open("/dev/iommu", O_RDWR | O_CLOEXEC), "/dev/iommu"),
  };
  struct vfio_device_bind_iommufd bind = {
      .argsz = sizeof(bind),
      .iommufd = device.iommufd,
  };
  must(ioctl(device.fd, VFIO_DEVICE_BIND_IOMMUFD, &bind), "VFIO_DEVICE_BIND_IOMMUFD");
  return device;
}

#endif
