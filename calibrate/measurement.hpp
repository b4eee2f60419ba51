// Measurement: raw samples of real kernels, with everything needed to know what they are worth.
// Reads and writes epsim.measurement/1. A file that lacks a piece of its provenance does not load.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "calibrate/point.hpp"

namespace epsim {

inline constexpr std::string_view kMeasurementSchema = "epsim.measurement/1";

// One quantity that a bench sampled. Most points have one, "latency_ns".
struct SampleSeries {
  std::string name;  // ends in its unit: "latency_ns", "fence_cycles", "stale_rows"
  std::vector<double> samples;
};

// What a bench returns for a point: at least one series. Verified before it was timed; a failed
// verification throws.
struct PointResult {
  std::int64_t bytes_moved = 0;  // per sample, least traffic; 0 where no bytes are the question
  std::vector<SampleSeries> series;

  PointResult& add(std::string name, std::vector<double> samples) {
    series.push_back({std::move(name), std::move(samples)});
    return *this;
  }
};

struct ClockReading {
  std::int64_t sm_mhz = 0;
  std::int64_t memory_mhz = 0;
};

struct MeasuredPoint {
  std::string experiment;  // "M4"
  Point point;
  PointResult result;
  ClockReading clocks_before, clocks_after;
  std::int64_t discarded = 0;  // tries thrown away because clocks fell meanwhile

  // nullptr when the bench recorded no such series.
  [[nodiscard]] const std::vector<double>* find_samples(std::string_view series) const;
};

struct GpuProvenance {
  std::string name;
  std::string uuid_hash;  // so that two files can be told to come from one GPU
  double power_limit_w = 0;
};

struct Provenance {
  std::string host_time_utc;  // "2026-11-21T14:05:00Z", when the file was begun
  std::string commit;
  bool dirty = false;
  std::string command_line;
  std::string driver;
  std::string cuda;
  std::string cupti;
  std::vector<GpuProvenance> gpus;
};

struct Measurement {
  std::string file;  // where it was read from, for messages and sources
  Provenance provenance;
  std::vector<MeasuredPoint> points;
};

// Throws InputError when a key is missing, unknown or out of range.
[[nodiscard]] Measurement read_measurement(const std::filesystem::path& path);
[[nodiscard]] std::string measurement_text(const Measurement& measurement);

}  // namespace epsim
