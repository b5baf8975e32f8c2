// SPDX-License-Identifier: Apache-2.0
//
// Goes through the pieces of a paced copy on a clock of its own. Arguments: bytes per second, bytes
// in all, the most of a piece, how long a piece takes in ms, after how many pieces nothing comes
// for how many ms. Prints when each piece was begun, and its bytes.
#include <cinttypes>
#include <cstdio>
#include <cstdlib>

#include "../../../native/core/pace.h"

int main(int, char** arguments) {
  vfio_migrate::Pace pace(atof(arguments[1]));
  auto left = strtoull(arguments[2], nullptr, 10);
  auto most = strtoull(arguments[3], nullptr, 10);
  double piece_ms = atof(arguments[4]);
  int pause_after = atoi(arguments[5]);
  double pause_ms = atof(arguments[6]);
  double now = 1000;
  for (int pieces = 0; left > 0; pieces++) {
    if (pieces == pause_after) now += pause_ms;
    now += pace.WaitMs(now);
    uint64_t bytes = std::min<uint64_t>(pace.PieceBytes(most), left);
    pace.Took(now, bytes);
    printf("%.6f %" PRIu64 "\n", now - 1000, bytes);
    now += piece_ms;
    left -= bytes;
  }
  return 0;
}
