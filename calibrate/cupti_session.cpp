#include "calibrate/cupti_session.hpp"

#include <cupti.h>
#include <cxxabi.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <set>
#include <string>
#include <utility>

#include "calibrate/device_error.hpp"

namespace epsim {
namespace {

constexpr std::size_t kBufferBytes = std::size_t{4} << 20;
constexpr std::size_t kBufferAlignment = 64;

#if CUPTI_API_VERSION >= 130000
using KernelRecord = CUpti_ActivityKernel10;
#else
using KernelRecord = CUpti_ActivityKernel9;
#endif

constexpr std::array kKinds = {CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL,
                               CUPTI_ACTIVITY_KIND_MEMCPY,
                               CUPTI_ACTIVITY_KIND_MEMCPY2,
                               CUPTI_ACTIVITY_KIND_MEMSET,
                               CUPTI_ACTIVITY_KIND_SYNCHRONIZATION,
                               CUPTI_ACTIVITY_KIND_OVERHEAD};

void cupti_check(CUptiResult status, const char* call) {
  if (status == CUPTI_SUCCESS) return;
  const char* text = nullptr;
  cuptiGetResultString(status, &text);
  throw DeviceError(std::string(call) + ": " + (text != nullptr ? text : "unknown CUPTI error"));
}

struct FreeMemory {
  void operator()(void* memory) const { std::free(memory); }
};

// A record, and whether it is a node of a graph: those share the correlation id of their launch.
struct Collected {
  GpuRecord record;
  bool in_graph = false;
};

// What CUPTI's threads hand over. CUPTI knows its callbacks by address alone, hence one for all.
struct Inbox {
  std::mutex mutex;
  std::vector<Collected> records;
  std::map<std::string, std::string> demangled;
  std::size_t dropped = 0;
  bool unreadable = false;
};
Inbox& inbox() {
  static Inbox instance;
  return instance;
}

std::string demangle(Inbox& box, const char* name) {
  if (name == nullptr) return {};
  const auto [entry, is_new] = box.demangled.try_emplace(name);
  if (is_new) {
    int status = 0;
    const std::unique_ptr<char, FreeMemory> text(
        abi::__cxa_demangle(name, nullptr, nullptr, &status));
    entry->second = status == 0 ? text.get() : name;
  }
  return entry->second;
}

template <typename Record>
Collected timed(GpuRecordKind activity, const CUpti_Activity* raw) {
  const auto* record = reinterpret_cast<const Record*>(raw);
  return {{.activity = activity,
           .correlation = record->correlationId,
           .start_ns = static_cast<std::int64_t>(record->start),
           .end_ns = static_cast<std::int64_t>(record->end),
           .name = {}}};
}

template <typename Record>
Collected on_device(GpuRecordKind activity, const CUpti_Activity* raw) {
  const auto* record = reinterpret_cast<const Record*>(raw);
  Collected collected = timed<Record>(activity, raw);
  collected.record.gpu = static_cast<int>(record->deviceId);
  collected.record.stream = record->streamId;
  collected.record.graph_node = record->graphNodeId;
  collected.in_graph = record->graphNodeId != 0;
  return collected;
}

template <typename Record>
Collected transfer(GpuRecordKind activity, const CUpti_Activity* raw) {
  Collected collected = on_device<Record>(activity, raw);
  collected.record.bytes = static_cast<std::int64_t>(reinterpret_cast<const Record*>(raw)->bytes);
  return collected;
}

Collected kernel_of(Inbox& box, const CUpti_Activity* raw) {
  const auto* record = reinterpret_cast<const KernelRecord*>(raw);
  Collected collected = on_device<KernelRecord>(GpuRecordKind::kernel, raw);
  GpuRecord& kernel = collected.record;
  kernel.name = demangle(box, record->name);
  const auto size = [](std::int32_t signed_size) {
    return static_cast<std::uint32_t>(signed_size);
  };
  kernel.grid = {size(record->gridX), size(record->gridY), size(record->gridZ)};
  kernel.block = {size(record->blockX), size(record->blockY), size(record->blockZ)};
  kernel.shared_memory_bytes = size(record->staticSharedMemory) + size(record->dynamicSharedMemory);
  kernel.registers = record->registersPerThread;
  return collected;
}

void take_record(Inbox& box, const CUpti_Activity* raw) {
  switch (raw->kind) {
    case CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL:
      box.records.push_back(kernel_of(box, raw));
      break;
    case CUPTI_ACTIVITY_KIND_MEMCPY:
      box.records.push_back(transfer<CUpti_ActivityMemcpy6>(GpuRecordKind::copy, raw));
      break;
    case CUPTI_ACTIVITY_KIND_MEMCPY2:
      box.records.push_back(transfer<CUpti_ActivityMemcpyPtoP4>(GpuRecordKind::copy, raw));
      break;
    case CUPTI_ACTIVITY_KIND_MEMSET:
      box.records.push_back(transfer<CUpti_ActivityMemset4>(GpuRecordKind::fill, raw));
      break;
    case CUPTI_ACTIVITY_KIND_SYNCHRONIZATION:
      box.records.push_back(
          timed<CUpti_ActivitySynchronization>(GpuRecordKind::synchronization, raw));
      break;
    default:
      break;  // overhead records: CUPTI's own time, of no use to a latency
  }
}

void CUPTIAPI give_buffer(std::uint8_t** buffer, std::size_t* size, std::size_t* most_records) {
  *buffer = static_cast<std::uint8_t*>(std::aligned_alloc(kBufferAlignment, kBufferBytes));
  *size = *buffer != nullptr ? kBufferBytes : 0;
  *most_records = 0;  // as many as fit
}

void CUPTIAPI take_buffer(CUcontext context,
                          std::uint32_t stream,
                          std::uint8_t* buffer,
                          std::size_t /*size*/,
                          std::size_t valid) {
  const std::unique_ptr<std::uint8_t, FreeMemory> owner(buffer);
  Inbox& box = inbox();
  const std::lock_guard lock(box.mutex);
  CUpti_Activity* record = nullptr;
  CUptiResult status = CUPTI_SUCCESS;
  while (valid > 0 &&
         (status = cuptiActivityGetNextRecord(buffer, valid, &record)) == CUPTI_SUCCESS)
    take_record(box, record);
  if (status != CUPTI_SUCCESS && status != CUPTI_ERROR_MAX_LIMIT_REACHED) box.unreadable = true;
  std::size_t dropped = 0;
  if (cuptiActivityGetNumDroppedRecords(context, stream, &dropped) == CUPTI_SUCCESS)
    box.dropped += dropped;
}

std::int64_t now_ns() {
  std::uint64_t now = 0;
  cupti_check(cuptiGetTimestamp(&now), "cuptiGetTimestamp");
  return static_cast<std::int64_t>(now);
}

std::string described(const GpuRecord& record) {
  return "CUPTI record of " + (record.name.empty() ? "a copy or fill" : record.name) + " on GPU " +
         std::to_string(record.gpu) + " (correlation " + std::to_string(record.correlation) + ")";
}

// What a record must be before anybody computes with it.
void inspect(const std::vector<Collected>& collected, std::int64_t not_before_ns) {
  std::set<std::uint32_t> launches;
  for (const auto& [record, in_graph] : collected) {
    if (record.activity == GpuRecordKind::synchronization) continue;  // of the host; no GPU's times
    if (record.start_ns <= 0) throw DeviceError(described(record) + " has no start");
    if (record.end_ns <= record.start_ns)
      throw DeviceError(described(record) + " does not end after it starts");
    if (record.start_ns < not_before_ns)
      throw DeviceError(described(record) + " is from before this collection");
    if (record.activity == GpuRecordKind::kernel && !in_graph &&
        !launches.insert(record.correlation).second)
      throw DeviceError(described(record) + " was handed over twice");
  }
}

}  // namespace

CuptiSession::CuptiSession() {
  cupti_check(cuptiActivityRegisterCallbacks(give_buffer, take_buffer),
              "cuptiActivityRegisterCallbacks");
  for (const CUpti_ActivityKind kind : kKinds)
    cupti_check(cuptiActivityEnable(kind), "cuptiActivityEnable");
  not_before_ns_ = now_ns();
}

CuptiSession::~CuptiSession() {
  for (const CUpti_ActivityKind kind : kKinds) cuptiActivityDisable(kind);
  cuptiActivityFlushAll(0);
}

std::vector<GpuRecord> CuptiSession::collect() {
  // Not under the lock: the flush calls take_buffer, which takes it.
  cupti_check(cuptiActivityFlushAll(0), "cuptiActivityFlushAll");
  const std::int64_t collected_at = now_ns();
  std::vector<Collected> collected;
  {
    Inbox& box = inbox();
    const std::lock_guard lock(box.mutex);
    collected.swap(box.records);
    if (std::exchange(box.unreadable, false)) throw DeviceError("CUPTI's buffer could not be read");
    if (const std::size_t dropped = std::exchange(box.dropped, 0); dropped > 0)
      throw DeviceError("CUPTI dropped " + std::to_string(dropped) + " records");
  }
  inspect(collected, std::exchange(not_before_ns_, collected_at));
  std::vector<GpuRecord> records;
  for (Collected& entry : collected) records.push_back(std::move(entry.record));
  std::stable_sort(records.begin(), records.end(), [](const GpuRecord& a, const GpuRecord& b) {
    return a.start_ns < b.start_ns;
  });
  if (watcher_) watcher_(records);
  return records;
}

std::string CuptiSession::version() {
  std::uint32_t version = 0;
  cupti_check(cuptiGetVersion(&version), "cuptiGetVersion");
  return std::to_string(version);
}

}  // namespace epsim
