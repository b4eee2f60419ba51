// Topologies from other tools' output, as a user makes them.
#include <string>

#include <doctest/doctest.h>

#include "tests/base/temporary_folder.hpp"
#include "tests/support/shell.hpp"

using namespace epsim;

namespace {

const std::string kMatrix = EPSIM_SOURCE_DIR "/examples/imports/hgx_h20_topo_m.txt";
const std::string kXml = EPSIM_SOURCE_DIR "/examples/imports/hgx_h100_vm_nccl.xml";

}  // namespace

TEST_CASE("Command line: topology import writes a file that topology show reads") {
  const TemporaryFolder folder;
  const std::string file = (folder / "two.json").string();
  const Outcome made = shell("topology import " + kMatrix +
                             " --gpu H20 --nic-speed '400 Gbit/s' --hosts 2 --out " + file);
  CHECK(made.code == 0);
  CHECK(made.err.empty());
  const Outcome shown = shell("topology show " + file);
  CHECK(shown.code == 0);
  CHECK(shown.out == made.out);
  CHECK(has(shown.out, "16 x H20"));
}

TEST_CASE("Command line: topology import prints the file where none is named") {
  const Outcome outcome = shell("topology import " + kXml);
  CHECK(outcome.code == 0);
  CHECK(has(outcome.out, "\"schema\": \"epsim.topology/1\""));
  CHECK(has(outcome.out, "\"name\": \"hgx_h100_vm_nccl\""));
}

TEST_CASE("Command line: topology import refuses what it cannot know in one line") {
  for (const BadInput& bad : {
           BadInput{kMatrix, "it does not tell which GPU this is; say --gpu"},
           BadInput{kMatrix + " --gpu H20", "mlx5_1: how fast this NIC is, is not told"},
           BadInput{kMatrix + " --gpu H20 --nic-speed 400", "--nic-speed: "},
           BadInput{kXml + " --nics mlx5_9", "--nics: no NIC \"mlx5_9\""},
           BadInput{kXml + " --hosts 0", "--hosts"},
           BadInput{EPSIM_SOURCE_DIR "/README.md", "no line that starts with the column GPU0"},
           BadInput{"/no/such/file", "/no/such/file"},
       })
    check_refused({"topology import " + bad.arguments, bad.message});
}
