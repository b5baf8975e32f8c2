// SPDX-License-Identifier: Apache-2.0
// The other end of a socket:
//
//   receive [sum]
//
// Says the port on which it listens, takes one connection after another and all that comes over it,
// and answers there how many bytes that were, and their CRC-32 where it is to sum. Somebody has to
// end it.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#include "measure.h"

static int listen_here(void) {
  struct sockaddr_in address = {.sin_family = AF_INET};
  socklen_t size = sizeof(address);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd < 0 || bind(fd, (struct sockaddr*)&address, size) || listen(fd, 1)) fail("listen");
  if (getsockname(fd, (struct sockaddr*)&address, &size)) fail("getsockname");
  printf("%d\n", ntohs(address.sin_port));
  fflush(stdout);
  return fd;
}

static void take(int from, unsigned char* piece, bool is_summed) {
  unsigned long long bytes = 0;
  uint32_t sum = 0;
  ssize_t count;

  while ((count = recv(from, piece, kPieceBytes, 0)) > 0) {
    if (is_summed) sum = crc32(sum, piece, count);
    bytes += count;
  }
  if (count < 0) fail("recv");
  if (dprintf(from, "%llu %u", bytes, sum) < 0) fail("send");
  close(from);
}

int main(int argc, char* argv[]) {
  (void)argv;
  unsigned char* piece = allocate(kPieceBytes);
  int fd = listen_here(), from;

  while ((from = accept(fd, NULL, NULL)) >= 0) take(from, piece, argc > 1);
  fail("accept");
}
