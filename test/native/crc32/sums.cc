// SPDX-License-Identifier: Apache-2.0
//
// Sums what comes on standard input in every way that the addon may choose from: of each request
// the sum before it, an offset into memory that is aligned to 64, a length, and so many bytes.
#include <cinttypes>
#include <cstdio>

#include "../../../native/core/crc32.cc"

using namespace vfio_migrate;

int main() {
  alignas(64) static uint8_t memory[1 << 17];
  uint32_t request[3];
  while (fread(request, sizeof(request), 1, stdin) == 1) {
    auto [before, offset, length] = request;
    uint8_t* bytes = memory + offset;
    if (offset + length > sizeof(memory) || fread(bytes, 1, length, stdin) != length) return 1;
    uint32_t tables = ~ByTables(~before, bytes, length);
    uint32_t instructions = HasInstructions() ? ~ByInstructions(~before, bytes, length) : tables;
    printf("%" PRIu32 " %" PRIu32 " %" PRIu32 "\n", tables, instructions,
           Crc32(before, bytes, length));
  }
  return 0;
}
