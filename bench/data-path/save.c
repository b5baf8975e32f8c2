// SPDX-License-Identifier: Apache-2.0
// The yardstick of saving a device, which is open and lent to it by its number:
//
//   save DEVICE [HEADERS]
//
// Brings it from STOP into STOP_COPY and times a loop of read(2) over 1 MiB on its data_fd, until
// there is no more. The device is in STOP again then. With HEADERS all is summed but the so many
// bytes at its beginning.
#include <linux/vfio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "measure.h"

// Answers the data_fd that came with it, if any.
static int go(int device, uint32_t to) {
  _Alignas(8) char
      bytes[sizeof(struct vfio_device_feature) + sizeof(struct vfio_device_feature_mig_state)];
  struct vfio_device_feature* feature = (struct vfio_device_feature*)bytes;
  struct vfio_device_feature_mig_state state = {.device_state = to, .data_fd = -1};

  *feature = (struct vfio_device_feature){
      .argsz = sizeof(bytes),
      .flags = VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE,
  };
  memcpy(feature->data, &state, sizeof(state));
  if (ioctl(device, VFIO_DEVICE_FEATURE, feature)) fail("VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE");
  memcpy(&state, feature->data, sizeof(state));
  return state.data_fd;
}

int main(int argc, char* argv[]) {
  if (argc < 2) {
    fputs("usage: save DEVICE [HEADERS]\n", stderr);
    return 2;
  }
  int device = atoi(argv[1]);
  uint64_t headers = argc > 2 ? strtoull(argv[2], NULL, 10) : UINT64_MAX;
  unsigned char* piece = allocate(kPieceBytes);
  uint64_t bytes = 0;
  uint32_t sum = 0;
  ssize_t count;
  int fd = go(device, VFIO_DEVICE_STATE_STOP_COPY);

  begin();
  while ((count = read(fd, piece, kPieceBytes)) > 0) {
    if (bytes + count > headers) {
      size_t skipped = bytes < headers ? headers - bytes : 0;
      sum = crc32(sum, piece + skipped, count - skipped);
    }
    bytes += count;
  }
  if (count < 0) fail("read");
  tell(bytes, sum);
  go(device, VFIO_DEVICE_STATE_STOP);
  return 0;
}
