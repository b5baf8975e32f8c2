// SPDX-License-Identifier: Apache-2.0
// What a blocking read answers while an increment is being saved: kernels differ, and
// vfio-migrate's own fds never block.
//
//   blocking_read CDEV    waits for a line in PRE_COPY, when all was read; then answers the bytes
//   read, or an errno's name
#include <stdint.h>

#include "device.h"

static int begin_precopy(int device) {
  _Alignas(8) char
      buffer[sizeof(struct vfio_device_feature) + sizeof(struct vfio_device_feature_mig_state)];
  struct vfio_device_feature* feature = (struct vfio_device_feature*)buffer;
  struct vfio_device_feature_mig_state state = {.device_state = VFIO_DEVICE_STATE_PRE_COPY};

  *feature = (struct vfio_device_feature){
      .argsz = sizeof(buffer),
      .flags = VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE,
  };
  memcpy(feature->data, &state, sizeof(state));
  must(ioctl(device, VFIO_DEVICE_FEATURE, feature), "VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE");
  memcpy(&state, feature->data, sizeof(state));
  return state.data_fd;
}

static void ask(int data) {
  struct vfio_precopy_info info = {.argsz = sizeof(info)};

  must(ioctl(data, VFIO_MIG_GET_PRECOPY_INFO, &info), "VFIO_MIG_GET_PRECOPY_INFO");
}

static void tell(ssize_t bytes) {
  if (bytes >= 0)
    printf("%zd\n", bytes);
  else
    printf("%s\n", errno == ENOMSG ? "ENOMSG" : strerror(errno));
  fflush(stdout);
}

int main(int argc, char* argv[]) {
  static char bytes[1 << 20];
  char line[16];
  int data = begin_precopy(open_device(argc > 1 ? argv[1] : "").fd);
  ssize_t result;

  ask(data);  // the initial image is there when it answers
  do result = read(data, bytes, sizeof(bytes));
  while (result > 0);
  tell(result);
  if (!fgets(line, sizeof(line), stdin)) return 1;
  ask(data);  // an increment begins
  tell(read(data, bytes, sizeof(bytes)));
  return 0;
}
