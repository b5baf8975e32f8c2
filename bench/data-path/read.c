// SPDX-License-Identifier: Apache-2.0
// The yardstick of reading:
//
//   read FILE [sum]
//
// A loop of read(2) over 1 MiB, until there is no more.
#include <fcntl.h>
#include <stdbool.h>
#include <unistd.h>

#include "measure.h"

int main(int argc, char* argv[]) {
  if (argc < 2) {
    fputs("usage: read FILE [sum]\n", stderr);
    return 2;
  }
  unsigned char* piece = allocate(kPieceBytes);
  bool is_summed = argc > 2;
  uint64_t bytes = 0;
  uint32_t sum = 0;
  ssize_t count;
  int fd = open(argv[1], O_RDONLY | O_CLOEXEC);

  if (fd < 0) fail(argv[1]);
  begin();
  while ((count = read(fd, piece, kPieceBytes)) > 0) {
    if (is_summed) sum = crc32(sum, piece, count);
    bytes += count;
  }
  if (count < 0) fail("read");
  tell(bytes, sum);
  return 0;
}
