// Writes a page to look at: page_sample OUT.html. Ends with 77 where no page can be made.
#include <cstdio>
#include <fstream>
#include <stdexcept>

#include "tests/notebooks_export/page_sample.hpp"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  try {
    const std::string page = epsim::page_text(epsim::page_sample());
    std::ofstream out(argv[1], std::ios::binary);
    out << page;
    return out.flush() ? 0 : 1;
  } catch (const std::runtime_error& missing) {
    std::fprintf(stderr, "%s\n", missing.what());
    return 77;
  }
}
