// CallLayout: where a low-latency buffer keeps words and rows, for calls of one shape or several:
// two regions of each kind, one a parity, and in each a place for every source. Calls of another
// shape put them elsewhere, so memory is cut into cells at every border that any shape has.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sim/protocols/call_sequence.hpp"

namespace epsim {

struct ByteRange {
  std::int64_t begin = 0, end = 0;
  [[nodiscard]] bool overlaps(const ByteRange& other) const {
    return begin < other.end && other.begin < end;
  }
};

struct CellRange {
  std::uint32_t first = 0, count = 0;
};

class CallLayout {
 public:
  // One expert a rank; `shapes` are those of all calls on the buffer.
  CallLayout(const CallBuffer& buffer, std::uint32_t ranks, std::vector<CallShape> shapes);

  [[nodiscard]] std::uint32_t cell_count() const {
    return static_cast<std::uint32_t>(borders_.size() - 1);
  }
  // What a name adds to tell cells apart: which regions of which shapes lie there.
  [[nodiscard]] std::string cell_name(std::uint32_t cell) const;

  // Where `source` puts its rows of a dispatch or a combine at their target.
  [[nodiscard]] CellRange rows(const Call& call, std::uint32_t parity, std::uint32_t source) const;
  // Where a dispatch prepares its rows before it sends them.
  [[nodiscard]] CellRange staging(const Call& call, std::uint32_t parity) const;

  // Words of a shape have a number of their own where their place depends on the shape.
  [[nodiscard]] std::uint32_t word_set(const CallShape& shape) const;
  // Whether the words of `later` lie where calls of `earlier` put rows or their words.
  [[nodiscard]] bool words_were_used(const CallShape& later, const CallShape& earlier) const;

 private:
  struct Region {
    ByteRange range;
    std::string name;
  };

  [[nodiscard]] ByteRange words(const CallShape& shape) const;
  [[nodiscard]] ByteRange send_region(const CallShape& shape, std::uint32_t parity) const;
  [[nodiscard]] ByteRange receive_region(const CallShape& shape, std::uint32_t parity) const;
  [[nodiscard]] ByteRange rows_range(const CallShape& shape,
                                     CallKind kind,
                                     std::uint32_t parity,
                                     std::uint32_t source) const;
  [[nodiscard]] std::int64_t rows_begin() const;
  [[nodiscard]] CellRange cells(const ByteRange& range) const;

  WordPlace word_place_;
  std::uint32_t ranks_;
  std::vector<CallShape> shapes_;
  std::vector<std::int64_t> borders_;
};

}  // namespace epsim
