#include "kernels/reference/kv_gather_reference.hpp"

#include <vector>

#include <doctest/doctest.h>

using epsim::kernels::kv_gather_reference;
using epsim::kernels::kv_source;
using epsim::kernels::PayloadVector;
using epsim::kernels::stale_row_count;

TEST_CASE(
    "KV gather reference: each region gives the row that its id names in the order of the "
    "regions") {
  // Two regions of 6 vectors = 3 rows of 2. Region 0's row 2 is vectors 4 and 5, region 1's row 0
  // is vectors 0 and 1. z = region xor (vector << 8): 4 << 8 = 1024, 5 << 8 = 1280, and in region 1
  // 1 xor 0 = 1, 1 xor 256 = 257. The last word becomes the generation, 9.
  const std::vector<PayloadVector> source = kv_source(2, 6);
  const std::vector<int> row_ids = {2, 0};
  const std::vector<PayloadVector> slot = kv_gather_reference({.source = source,
                                                               .region_vectors = 6,
                                                               .row_ids = row_ids,
                                                               .vectors_per_row = 2,
                                                               .generation = 9});
  CHECK(slot ==
        std::vector<PayloadVector>{{0, 4, 1024, 9}, {0, 5, 1280, 9}, {1, 0, 1, 9}, {1, 1, 257, 9}});
}

TEST_CASE("KV gather reference: a row counts as stale once, however many of its vectors are old") {
  // Rows of 2: {7, 7} is fresh, {7, 6} and {6, 6} are stale.
  const std::vector<PayloadVector> slot = {
      {0, 0, 0, 7}, {0, 0, 0, 7}, {0, 0, 0, 7}, {0, 0, 0, 6}, {0, 0, 0, 6}, {0, 0, 0, 6}};
  CHECK(stale_row_count(slot, 2, 7) == 2);
  CHECK(stale_row_count(slot, 2, 5) == 3);
  CHECK(stale_row_count({}, 2, 7) == 0);
}
