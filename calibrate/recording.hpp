// RecordingWriter: activity records, written to a file as they come in: epsim.recording/1, which
// traces/recording_reader.hpp describes and reads.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "calibrate/gpu_record.hpp"

namespace epsim {

struct RecordedGpu {
  std::string name;
  int sm_count = 0;
};

class RecordingWriter {
 public:
  // A new file for records of GPUs 0, 1, ... as given; what stood there before is replaced. Written
  // plain, so that whatever ends the run leaves what was recorded: throws InputError for a name in
  // ".gz", std::system_error when the disk says no (as the others do).
  RecordingWriter(std::filesystem::path path,
                  const std::string& profiler,
                  const std::vector<RecordedGpu>& gpus);

  // Appends kernels, copies, fills and synchronizations; overhead is of no use to a reader.
  void write(const std::vector<GpuRecord>& records);
  // Says that the recording is whole. Nothing may follow.
  void finish();

 private:
  void append(const std::string& text);

  std::filesystem::path path_;
  std::ofstream file_;
  std::int64_t count_ = 0;
};

}  // namespace epsim
