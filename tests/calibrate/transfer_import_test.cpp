#include "calibrate/transfer_import.hpp"

#include <array>
#include <string>

#include <doctest/doctest.h>

#include "sim/base/input_error.hpp"
#include "sim/base/text_file.hpp"
#include "tests/base/temporary_folder.hpp"

using namespace epsim;

namespace {

const std::string kNvbandwidth = R"json({"nvbandwidth": {"version": "v0.8", "testcases": [
  {"name": "device_to_device_memcpy_write_sm", "status": "Passed",
   "bandwidth_description": "memcpy SM GPU(row) <- GPU(column) bandwidth (GB/s)",
   "bandwidth_matrix": [["N/A", "365.1"], ["364.9", "N/A"]], "sum": 730.0},
  {"name": "device_to_device_latency_sm", "status": "Passed",
   "bandwidth_description": "memory latency SM GPU(row) <-> GPU(column) (ns)",
   "bandwidth_matrix": [["N/A", "800.5"], ["N/A", "N/A"]]},
  {"name": "host_to_device_memcpy_ce", "status": "Waived"}]}})json";

const std::string kNccl = R"(# Collective test starting: alltoall_perf
# nThread 1 nGpus 1 minBytes 1024 maxBytes 2048 step: 2(factor) warmup iters: 1 iters: 20
#
# Using devices
#  Rank  0 Group  0 Pid  1 on  host-a device  0 [0000:06:00] NVIDIA H100
#  Rank  1 Group  0 Pid  2 on  host-a device  1 [0000:09:00] NVIDIA H100
host-a:1:1 [0] NCCL INFO Bootstrap : Using eth0
#
#                                       out-of-place                       in-place
#       size         count      type   redop    root     time   algbw   busbw #wrong     time   algbw   busbw #wrong
#        (B)    (elements)                               (us)  (GB/s)  (GB/s)            (us)  (GB/s)  (GB/s)
        1024            16     float    none      -1    40.78    0.03    0.02      0    30.98    0.03    0.03    N/A
        2048            32     float    none      -1    30.55    0.07    0.06      0    30.06    0.07    0.06    N/A
# Out of bounds values : 0 OK
# Avg bus bandwidth    : 0.04
#
# Collective test concluded: alltoall_perf
)";

const std::string kDashes(87, '-');

const std::string kLatency = kDashes + R"(
                    RDMA_Write Latency Test
 Dual-port       : OFF		Device         : mlx5_0
 Number of qps   : 1		Transport type : IB
 Mtu             : 4096[B]
)" + kDashes + R"(
 #bytes #iterations    t_min[usec]    t_max[usec]  t_typical[usec]    t_avg[usec]    t_stdev[usec]   99% percentile[usec]   99.9% percentile[usec]
Conflicting CPU frequency values detected: 3393.693000 != 1500.000000. CPU Frequency is not max.
 2       1000          1.79           5.41         1.87     	       1.88        	0.18   		2.03    	5.41
)" + kDashes + "\n";

const std::string kBandwidth = R"(ib_write_bw --use_cuda=0 -q 4 --post_list 16
initializing CUDA
)" + kDashes + R"(
                    RDMA_Write Post List BW Test
 Number of qps   : 4		Transport type : IB
 Post List       : 16
)" + kDashes + R"(
 #bytes     #iterations    BW peak[Gb/sec]    BW average[Gb/sec]   MsgRate[Mpps]
 8          5000             0.49               0.48   		   7.498617
 8388608    5000             391.10             390.00 		   0.005811
)" + kDashes + "\n";

std::string with(std::string text, const std::string& piece, const std::string& replacement) {
  const std::size_t at = text.find(piece);
  REQUIRE(at != std::string::npos);
  return text.replace(at, piece.size(), replacement);
}

TransferSet import(const std::string& text) {
  const TemporaryFolder folder;
  replace_text_file(folder / "run.txt", text);
  const std::array files = {std::filesystem::path(folder / "run.txt")};
  return import_transfers(files);
}

// The message of the error, without the folder in front.
std::string error_of(const std::string& text) {
  try {
    (void)import(text);
  } catch (const InputError& error) {
    const std::string what = error.what();
    CHECK(what.find('\n') == std::string::npos);
    return what.substr(what.find("run.txt"));
  }
  return "no error";
}

}  // namespace

TEST_CASE("nvbandwidth: cells become transfers, in our units and with their pointers") {
  const TransferSet set = import(kNvbandwidth);
  REQUIRE(set.records.size() == 3);
  const Transfer& write = set.records[0];
  CHECK(write.id == "run/device_to_device_memcpy_write_sm/0-1");
  CHECK(write.tool == "nvbandwidth");
  CHECK(write.operation == "peer_write");
  CHECK(write.variant == "sm");
  CHECK(write.value == 365.1);
  CHECK(write.unit == TransferUnit::gb_per_s);
  CHECK(write.pair == std::pair{1U, 0U});  // the arrow points from the column to the row
  CHECK(write.place == "/nvbandwidth/testcases/0/bandwidth_matrix/0/1");
  CHECK(set.records[2].operation == "peer_latency");
  CHECK(set.records[2].value == doctest::Approx(0.8005));  // 800.5 ns
  CHECK(set.records[2].unit == TransferUnit::us);
  REQUIRE(set.notes.size() == 1);
  CHECK(set.notes[0].find("host_to_device_memcpy_ce was waived") != std::string::npos);
}

TEST_CASE("nvbandwidth: a failed testcase, an error and odd cells are refused") {
  CHECK(error_of(with(kNvbandwidth, "\"Passed\"", "\"Error\"")) ==
        "run.txt: /nvbandwidth/testcases/0/status: expected \"Passed\" or \"Waived\", found "
        "\"Error\"");
  CHECK(error_of(R"({"nvbandwidth": {"error": "no CUDA", "testcases": []}})") ==
        "run.txt: /nvbandwidth/error: expected a run without error, found \"no CUDA\"");
  for (const std::string cell : {"nan", "-3", "0", "12 GB/s", "inf", ""})
    CHECK(error_of(with(kNvbandwidth, "\"365.1\"", "\"" + cell + "\"")) ==
          "run.txt: /nvbandwidth/testcases/0/bandwidth_matrix/0/1: expected a number above 0 as "
          "text, or \"N/A\", found \"" +
              cell + "\"");
  CHECK(error_of(with(kNvbandwidth, "[\"364.9\", \"N/A\"]", "[\"364.9\"]")) ==
        "run.txt: /nvbandwidth/testcases/0/bandwidth_matrix/1: expected 2 cells, found 1");
  CHECK(error_of(with(kNvbandwidth, "(GB/s)", "(MB/s)")).find("(GB/s) or (ns)") !=
        std::string::npos);
  CHECK(error_of(kNvbandwidth.substr(0, 200)).find("run.txt: ") == 0);  // cut
  CHECK(error_of(R"({"results": []})") == "run.txt: missing key \"nvbandwidth\"");
}

TEST_CASE("nccl-tests: a row gives a time out of place and one in place") {
  const TransferSet set = import(kNccl);
  REQUIRE(set.records.size() == 4);
  const Transfer& first = set.records[0];
  CHECK(first.id == "run/alltoall/1024/out_of_place");
  CHECK(first.operation == "alltoall");
  CHECK(first.size == Bytes{1024});
  CHECK(first.ranks == 2);
  CHECK(first.value == 40.78);
  CHECK(first.unit == TransferUnit::us);
  CHECK(first.place == "line 12");
  CHECK(set.records[1].variant == "in_place");
  CHECK(set.records[1].value == 30.98);
}

TEST_CASE("nccl-tests: two runs in one log stay apart") {
  const TransferSet set =
      import(kNccl + with(kNccl, "starting: alltoall_perf", "starting: sendrecv_perf"));
  REQUIRE(set.records.size() == 8);
  CHECK(set.records[4].operation == "sendrecv");
  CHECK(import(kNccl + kNccl).records[4].id == "run/alltoall/1024/out_of_place#2");
}

TEST_CASE("nccl-tests: wrong values, wrong headers and cut logs are refused") {
  CHECK(error_of(with(kNccl, "0.02      0 ", "0.02      4 ")) ==
        "run.txt: line 12: expected 0 wrong values, found 4 out_of_place");
  CHECK(error_of(with(kNccl, "0 OK", "7 FAILED")).find("run.txt: line 14: expected") == 0);
  CHECK(error_of(with(kNccl, "40.78", "-nan")) ==
        "run.txt: line 12: expected a time in us above 0, found \"-nan\"");
  CHECK(error_of(with(kNccl, "40.78", "-1.0")).find("line 12") != std::string::npos);
  CHECK(error_of(with(kNccl, "        1024 ", "       -1024 ")) ==
        "run.txt: line 12: expected a size in bytes, a whole number above 0, found \"-1024\"");
  CHECK(
      error_of(with(kNccl, "time   algbw", "span   algbw")).find("a column \"time\" before each") !=
      std::string::npos);
  CHECK(
      error_of(with(kNccl, "time   algbw", "algbw   time")).find("a column \"time\" before each") !=
      std::string::npos);
  CHECK(error_of(with(kNccl, "(us)", "(ms)")) == "no error");  // one is left
  CHECK(error_of(with(with(kNccl, "(us)", "(ms)"), "(us)", "(ms)")).find("line 11") !=
        std::string::npos);
  CHECK(error_of(with(kNccl, "    0.03    N/A", "")).find("run.txt: line 12: expected 0") == 0);
  // 1024 B in 40.78 us are 0.03 GB/s.
  CHECK(error_of(with(kNccl, "0.03    0.02 ", "9.03    0.02 ")).find("which is size over time") !=
        std::string::npos);
  CHECK(error_of(kNccl.substr(0, kNccl.find("# Avg"))) ==
        "run.txt: line 14: expected \"# Avg bus bandwidth\", found the end of the file: it was "
        "cut, or the test did not finish");
  CHECK(error_of(kNccl.substr(kNccl.find("# nThread"))).find("the name of the test") !=
        std::string::npos);
  CHECK(error_of(with(kNccl, "#  Rank  0", "#  Rank  5"))
            .find("a line for each of 6 ranks, found 2") != std::string::npos);
}

TEST_CASE("perftest: a latency is its typical value, from its least to its 99th percentile") {
  const TransferSet set = import(kLatency);
  REQUIRE(set.records.size() == 1);
  const Transfer& record = set.records[0];
  CHECK(record.operation == "rdma_write_latency");
  CHECK(record.variant == "host");
  CHECK(record.size == Bytes{2});
  CHECK(record.queue_pairs == 1);
  CHECK(record.writes_per_doorbell == 1);
  CHECK(record.value == 1.87);
  REQUIRE(record.interval);
  CHECK(record.interval->low == 1.79);
  CHECK(record.interval->high == 2.03);
  CHECK(record.place == "line 9");
}

TEST_CASE("perftest: a row of a bandwidth test gives a rate of messages and a bandwidth") {
  const TransferSet set = import(kBandwidth);
  REQUIRE(set.records.size() == 4);
  CHECK(set.records[0].operation == "message_rate");
  CHECK(set.records[0].value == 7.498617);
  CHECK(set.records[0].unit == TransferUnit::million_per_s);
  CHECK(set.records[0].variant == "gpu");
  CHECK(set.records[0].queue_pairs == 4);
  CHECK(set.records[0].writes_per_doorbell == 16);
  CHECK(set.records[3].operation == "rdma_write_bandwidth");
  CHECK(set.records[3].value == doctest::Approx(48.75));  // 390 Gbit/s / 8
  // By hand: 390 MB/s of 2^20 bytes are 390 * 1.048576e-3 = 0.40894464 GB/s, and 48.753 messages of
  // 8 MiB a second.
  const std::string mebibytes = with(
      with(with(with(kBandwidth, "BW peak[Gb/sec]", "BW peak[MB/sec]"), "[Gb/sec]", "[MB/sec]"),
           "0.005811",
           "0.000049"),
      "0.48 ",
      "57.21 ");
  CHECK(import(mebibytes).records[3].value == doctest::Approx(0.40894464));
}

TEST_CASE("perftest: both directions at once are another operation") {
  const TransferSet set =
      import(with(kBandwidth, "RDMA_Write Post List", "RDMA_Write Bidirectional Post List"));
  CHECK(set.records[3].operation == "rdma_write_bandwidth_bidirectional");
}

TEST_CASE("perftest: odd numbers, other units and cut logs are refused") {
  CHECK(error_of(with(kLatency, "1.87 ", "nan ")) ==
        "run.txt: line 9: expected t_typical above 0, found \"nan\"");
  CHECK(error_of(with(kLatency, "1.87 ", "-1.87 ")).find("line 9") != std::string::npos);
  CHECK(error_of(with(kLatency, "1.87 ", "1.47 ")) ==
        "run.txt: line 9: expected t_min <= t_typical <= t_max and a percentile within, found "
        "1.79, 1.47, 5.41 and 2.03");
  CHECK(error_of(with(kLatency, "t_min[usec]", "t_min[cycles]")) ==
        "run.txt: line 7: expected times in [usec], found \"[cycles]\"");
  CHECK(error_of(with(kLatency, "t_max[usec]", "t_min[usec]")) ==
        "run.txt: line 7: expected each column once, found \"t_min\" twice");
  CHECK(error_of(with(kLatency, "t_max[usec]", "t_most[usec]")) ==
        "run.txt: line 9: expected a column \"t_max\", found none");
  CHECK(error_of(with(kLatency, "0.18   ", "")) ==
        "run.txt: line 9: expected 9 columns as in the header, found 8");
  CHECK(error_of(with(kLatency, "RDMA_Write", "Raw_Ethernet")).find("RDMA_Write, RDMA_Read") !=
        std::string::npos);
  CHECK(error_of(with(kBandwidth, "BW average[Gb/sec]", "BW average[Tb/sec]"))
            .find("[Gb/sec], [MB/sec] or [MiB/sec]") != std::string::npos);
  // 7.498617e6 messages of 8 B are 0.48 Gbit/s.
  CHECK(error_of(with(kBandwidth, "0.48 ", "0.96 ")).find("a bandwidth of 0.48") !=
        std::string::npos);
  CHECK(error_of(with(kBandwidth, " 8388608 ", " -8388608 ")).find("a size in bytes") !=
        std::string::npos);
  CHECK(error_of(with(kBandwidth, "qps   : 4", "qps   : x")).find("Number of qps") !=
        std::string::npos);
  CHECK(error_of(with(kBandwidth, "qps   : 4", "qps   : 4294967296")).find("of at most 1000000") !=
        std::string::npos);
  const std::string cut = kLatency.substr(0, kLatency.size() - 20 - kDashes.size());
  CHECK(error_of(cut).find("columns as in the header") != std::string::npos);
  CHECK(error_of(kLatency.substr(0, kLatency.size() - 1 - kDashes.size())) ==
        "run.txt: line 9: expected the line of dashes behind the results, found the end of the "
        "file: it was cut, or the test did not finish");
  CHECK(error_of(kLatency.substr(0, kLatency.find(" #bytes"))).find("\"#bytes\"") !=
        std::string::npos);
}

TEST_CASE("import: what is no tool's output, or that of two, is refused") {
  CHECK(error_of("") == "run.txt: expected the output of a tool, found an empty file");
  CHECK(error_of(" \n\n") == "run.txt: expected the output of a tool, found an empty file");
  CHECK(error_of(std::string("# nThread \0 1", 13)) ==
        "run.txt: expected text, found the byte 0x00 at offset 10");
  CHECK(error_of("hello\n") ==
        "run.txt: line 1: expected the output of nvbandwidth -j, of an nccl-tests program or of a "
        "perftest program, found \"hello\"");
  CHECK(
      error_of("nvbandwidth Version: v0.8\nBuilt from Git version: v0.8\n") ==
      "run.txt: line 1: expected JSON (run nvbandwidth -j), found nvbandwidth's table for people");
  CHECK(error_of(kNccl + kLatency)
            .find("expected the output of one tool a file, found perftest "
                  "(line 19) and nccl-tests (line 2)") != std::string::npos);
  CHECK(error_of(R"({"nvbandwidth": {"testcases": []}})") ==
        "run.txt: expected at least one figure, found none");
}

TEST_CASE("import: the samples of the repository are read whole") {
  const std::filesystem::path folder = std::filesystem::path(EPSIM_SOURCE_DIR) / "examples/imports";
  const auto count = [&](const std::string& name) {
    const std::array files = {folder / name};
    return import_transfers(files).records.size();
  };
  CHECK(count("nvbandwidth_h800.json") == 8 * 7 + 8 + 8 * 7);
  CHECK(count("nvbandwidth_one_gpu.json") == 4);
  CHECK(count("nccl_all_reduce_perf_h100.txt") == 2 * 31);  // 8 B to 8 GiB by doubling
  CHECK(count("nccl_alltoall_perf_gb300.txt") == 2 * 2);
  CHECK(count("perftest_ib_write_lat_hdr200.txt") == 23);  // 2 B to 8 MiB
  CHECK(count("perftest_ib_write_bw_hdr200.txt") == 2 * 23);
  CHECK(count("perftest_ib_write_bw_8qp.txt") == 2 * 9);
  CHECK(count("perftest_ib_write_bw_post_list.txt") == 2);
}

TEST_CASE("transfers: what was written is read back the same") {
  const TemporaryFolder folder;
  for (const std::string& text : {kNvbandwidth, kNccl, kLatency, kBandwidth}) {
    TransferSet set = import(text);
    set.system = "mine";
    replace_text_file(folder / "t.json", transfers_text(set));
    const TransferSet again = read_transfers(folder / "t.json");
    CHECK(again.records.size() == set.records.size());
    CHECK(transfers_text(again) == transfers_text(set));
  }
}

TEST_CASE("transfers: values that make no sense and unknown keys are refused") {
  const TemporaryFolder folder;
  const std::string text = transfers_text(import(kLatency));
  const auto error = [&](const std::string& piece, const std::string& replacement) -> std::string {
    replace_text_file(folder / "t.json", with(text, piece, replacement));
    try {
      (void)read_transfers(folder / "t.json");
    } catch (const InputError& thrown) {
      return thrown.what();
    }
    return "no error";
  };
  CHECK(error("1.87", "-1.87").find("/records/0/value") != std::string::npos);
  CHECK(error("1.87", "0").find("a number above 0") != std::string::npos);
  CHECK(error("\"us\"", "\"ms\"").find("/records/0/unit") != std::string::npos);
  CHECK(error("[1.79, 2.03]", "[2.03, 1.79]").find("/records/0/interval") != std::string::npos);
  CHECK(error("\"operation\"", "\"op\"").find("missing key \"operation\"") != std::string::npos);
  CHECK(error("transfers/1", "transfers/2").find("/schema") != std::string::npos);
}
