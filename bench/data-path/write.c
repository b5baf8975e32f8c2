// SPDX-License-Identifier: Apache-2.0
// The yardstick of writing:
//
//   write SOURCE BYTES FILE
//
// A loop of write(2) over 1 MiB out of memory, which is what the first pieces of SOURCE are, again
// and again. FILE is written over, so that its pages are there.
#include <fcntl.h>
#include <unistd.h>

#include "measure.h"

enum { kMostPieces = 64 };

static size_t load(const char* path, unsigned char* memory) {
  size_t bytes = 0;
  ssize_t count;
  int fd = open(path, O_RDONLY | O_CLOEXEC);

  if (fd < 0) fail(path);
  while (bytes < kMostPieces * (size_t)kPieceBytes &&
         (count = read(fd, memory + bytes, kPieceBytes)) > 0)
    bytes += count;
  close(fd);
  return bytes / kPieceBytes;
}

static void write_piece(int fd, const unsigned char* piece) {
  for (size_t written = 0; written < kPieceBytes;) {
    ssize_t count = write(fd, piece + written, kPieceBytes - written);

    if (count < 0) fail("write");
    written += count;
  }
}

int main(int argc, char* argv[]) {
  if (argc != 4) {
    fputs("usage: write SOURCE BYTES FILE\n", stderr);
    return 2;
  }
  unsigned char* memory = allocate(kMostPieces * (size_t)kPieceBytes);
  size_t pieces = load(argv[1], memory);
  uint64_t bytes = strtoull(argv[2], NULL, 10);
  int fd = open(argv[3], O_WRONLY | O_CLOEXEC);

  if (fd < 0) fail(argv[3]);
  begin();
  for (uint64_t i = 0; i < bytes / kPieceBytes; i++)
    write_piece(fd, memory + i % pieces * kPieceBytes);
  tell(bytes, 0);
  return 0;
}
