// NsysNumbers: numbers of GPUs and streams that hold for a whole export. In it, each process counts
// the GPUs that it sees from 0, and each context its streams.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <set>

namespace epsim {

class NsysNumbers {
 public:
  struct Place {
    std::uint32_t device = 0;
    std::uint32_t stream = 0;
  };
  struct DeviceOfProcess {
    std::int64_t process = 0;  // the export's globalPid
    std::uint32_t device = 0;  // the process's number
    auto operator<=>(const DeviceOfProcess&) const = default;
  };
  struct StreamOfProcess {
    DeviceOfProcess on;
    std::optional<std::int64_t> context;
    std::uint32_t stream = 0;
    auto operator<=>(const StreamOfProcess&) const = default;
  };

  [[nodiscard]] std::uint32_t device(const DeviceOfProcess& device) {
    const auto [row, is_new] = devices_.try_emplace(device);
    if (is_new) row->second = first_free(taken_devices_, device.device, 1);
    return row->second;
  }

  // Of a stream that something ran on. One without a context is the first of its number.
  [[nodiscard]] Place place(const StreamOfProcess& stream) {
    const std::uint32_t on = device(stream.on);
    if (!stream.context) return {on, stream.stream};
    const auto [row, is_new] = streams_.try_emplace(stream);
    if (is_new) row->second = first_free(taken_streams_[on], stream.stream, 1000);
    return {on, row->second};
  }

  // Of a stream that an event is told of, whose context may be the event's and another. Known when
  // something ran there; or else the first of its number.
  [[nodiscard]] Place known_place(const StreamOfProcess& stream) const {
    const auto on = devices_.find(stream.on);
    const auto known = streams_.find(stream);
    return {on == devices_.end() ? stream.on.device : on->second,
            known == streams_.end() ? stream.stream : known->second};
  }

  // Correlations count in each process: those of the first one met stay as they are.
  [[nodiscard]] std::uint64_t correlation(std::int64_t process, std::int64_t number) {
    const std::uint64_t index = processes_.try_emplace(process, processes_.size()).first->second;
    return (index << 32) | (static_cast<std::uint64_t>(number) & 0xffff'ffffU);
  }

  [[nodiscard]] const std::map<DeviceOfProcess, std::uint32_t>& devices() const { return devices_; }
  [[nodiscard]] const std::map<StreamOfProcess, std::uint32_t>& streams() const { return streams_; }

 private:
  // The number itself where nobody has it, or else the next in steps.
  static std::uint32_t first_free(std::set<std::uint32_t>& taken,
                                  std::uint32_t number,
                                  std::uint32_t step) {
    while (!taken.insert(number).second) number += step;
    return number;
  }

  std::map<DeviceOfProcess, std::uint32_t> devices_;
  std::map<StreamOfProcess, std::uint32_t> streams_;
  std::map<std::int64_t, std::uint64_t> processes_;
  std::set<std::uint32_t> taken_devices_;
  std::map<std::uint32_t, std::set<std::uint32_t>> taken_streams_;
};

}  // namespace epsim
