// SPDX-License-Identifier: Apache-2.0
// The yardstick of copying into a socket:
//
//   send FILE PORT
//
// A loop of read(2) and send(2) over 1 MiB, to a receiver on this machine; over when that has
// answered how much has arrived.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "measure.h"

static int connect_to(int port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd < 0 || connect(fd, (struct sockaddr*)&address, sizeof(address))) fail("connect");
  return fd;
}

static void send_all(int fd, const unsigned char* from, size_t bytes) {
  while (bytes > 0) {
    ssize_t sent = send(fd, from, bytes, MSG_NOSIGNAL);

    if (sent < 0) fail("send");
    from += sent;
    bytes -= sent;
  }
}

int main(int argc, char* argv[]) {
  if (argc != 3) {
    fputs("usage: send FILE PORT\n", stderr);
    return 2;
  }
  unsigned char* piece = allocate(kPieceBytes);
  int from = open(argv[1], O_RDONLY | O_CLOEXEC), to = connect_to(atoi(argv[2]));
  unsigned long long arrived = 0;
  unsigned sum = 0;
  char answer[64] = "";
  ssize_t count;

  if (from < 0) fail(argv[1]);
  begin();
  while ((count = read(from, piece, kPieceBytes)) > 0) send_all(to, piece, count);
  if (count < 0) fail("read");
  if (shutdown(to, SHUT_WR)) fail("shutdown");
  if (recv(to, answer, sizeof(answer) - 1, MSG_WAITALL) < 0) fail("recv");
  if (sscanf(answer, "%llu %u", &arrived, &sum) != 2) fail("the receiver's answer");
  tell(arrived, sum);
  return 0;
}
