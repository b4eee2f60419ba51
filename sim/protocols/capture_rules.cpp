// The table of operations that a capture meets. Sources: CUDA C++ Programming Guide, CUDA graphs,
// "Prohibited and Unhandled Operations" and "Cross-stream Dependencies and Events"; the runtime's
// cudaErrorStreamCapture* errors; the reference of cudaThreadExchangeStreamCaptureMode for what is
// unsafe beside a capture.
#include <algorithm>

#include "sim/base/check.hpp"
#include "sim/protocols/capture.hpp"

namespace epsim {
namespace {

constexpr std::array kRules = {
    CaptureRule{"wait of the CPU for a stream or a device",
                "cudaStreamSynchronize cudaStreamQuery cudaDeviceSynchronize cuStreamSynchronize "
                "cuStreamQuery cuCtxSynchronize torch.cuda.synchronize",
                CaptureEffect::fails,
                "cudaErrorStreamCaptureUnsupported",
                "what is captured does not run, so that there is nothing to wait for or to ask "
                "about; a device or context includes the captured streams",
                "wait after cudaGraphLaunch; inside the capture an event that another stream "
                "waits for"},
    CaptureRule{"wait of the CPU for a captured event",
                "cudaEventSynchronize cudaEventQuery cudaEventElapsedTime cuEventSynchronize "
                "cuEventQuery cuEventElapsedTime",
                CaptureEffect::fails,
                "cudaErrorCapturedEvent",
                "a captured event is an edge of the graph and never happens by itself",
                "record another event behind cudaGraphLaunch and wait for that"},
    CaptureRule{"work on the legacy default stream",
                "",
                CaptureEffect::fails,
                "cudaErrorStreamCaptureImplicit",
                "it waits for every blocking stream, and so for the captured one, whose work is "
                "not scheduled",
                "streams made with cudaStreamNonBlocking, or the per-thread default stream"},
    CaptureRule{"synchronous copy or fill",
                "cudaMemcpy cudaMemcpy2D cudaMemcpyPeer cudaMemcpyToSymbol cudaMemcpyFromSymbol "
                "cudaMemset cuMemcpyDtoH cuMemcpyHtoD",
                CaptureEffect::fails,
                "cudaErrorStreamCaptureImplicit",
                "it goes to the legacy default stream, and most of them make the CPU wait",
                "the Async form on the captured stream"},
    CaptureRule{"allocation",
                "cudaMalloc cudaMallocHost cudaMallocManaged cudaHostAlloc cudaHostRegister "
                "cudaIpcOpenMemHandle cuMemAlloc cuMemCreate cuMemMap",
                CaptureEffect::fails,
                "cudaErrorStreamCaptureUnsupported",
                "it is not an operation of a stream, so that a replay would not repeat it, and it "
                "may wait for the device",
                "allocate the largest size before the capture, or cudaMallocAsync, which becomes "
                "a node"},
    CaptureRule{"end of an allocation",
                "cudaFree cudaFreeHost cudaHostUnregister cudaIpcCloseMemHandle cuMemFree "
                "cuMemUnmap cuMemRelease",
                CaptureEffect::fails,
                "cudaErrorStreamCaptureUnsupported",
                "it waits for the device, and replays would use memory that is gone",
                "free when the graph is destroyed, or cudaFreeAsync, which becomes a node"},
    CaptureRule{"read of a device value by the CPU",
                "torch.bincount torch.nonzero torch.unique torch.masked_select Tensor.item "
                "Tensor.tolist Tensor.cpu",
                CaptureEffect::fails,
                "cudaErrorStreamCaptureUnsupported",
                "a copy to the host and a wait for it are inside, since a size or a branch "
                "depends on the value",
                "keep it on the device: scatter_add of ones for counts, masks of a fixed shape, "
                "buffers of the worst size"},
    CaptureRule{"poll of the CPU for a word that the GPU writes",
                "host_poll",
                CaptureEffect::fails,
                "",
                "the kernel that writes the word is captured and does not run, so that the poll "
                "never ends",
                "a wait in the stream (cuStreamWaitValue32) or in a kernel; sizes of the worst "
                "case or of a cached layout"},
    CaptureRule{"callback with a status",
                "cudaStreamAddCallback cuStreamAddCallback",
                CaptureEffect::fails,
                "cudaErrorStreamCaptureUnsupported",
                "callbacks of this form cannot become nodes",
                "cudaLaunchHostFunc"},
    CaptureRule{"stream that is not joined",
                "",
                CaptureEffect::fails,
                "cudaErrorStreamCaptureUnjoined",
                "work of a forked stream is not behind anything that the captured stream has "
                "waited for",
                "record an event on it after its last operation and let the captured stream wait "
                "for it"},
    CaptureRule{"wait for an event from outside",
                "",
                CaptureEffect::fails,
                "cudaErrorStreamCaptureIsolation",
                "an edge would cross the border of the graph",
                "wait for it before the capture begins, or with cudaEventWaitExternal"},
    CaptureRule{"wait for an event of another capture",
                "",
                CaptureEffect::fails,
                "cudaErrorStreamCaptureMerge",
                "it would merge two graphs",
                "one capture for both, or events between the launches of the two graphs"},
    CaptureRule{"wait outside for a captured event",
                "",
                CaptureEffect::fails,
                "cudaErrorCapturedEvent",
                "a captured event is an edge of the graph and never happens by itself",
                "record the event behind cudaGraphLaunch, or with cudaEventRecordExternal"},
    CaptureRule{"work on a stream beside the capture",
                "",
                CaptureEffect::freezes,
                "",
                "the stream did not join: its work runs once, now, and in no replay",
                "let the stream wait for an event of the captured stream first, and join it at "
                "the end"},
    CaptureRule{"work of the CPU between the calls",
                "store_barrier ibv_post_send MPI_Barrier",
                CaptureEffect::freezes,
                "",
                "it is done once, at capture, and by no replay",
                "cudaLaunchHostFunc, a signal from the device, or before each cudaGraphLaunch"},
    CaptureRule{"parity that the host counts",
                "",
                CaptureEffect::freezes,
                "",
                "each replay begins with the parity of the capture, and the one before ended "
                "with the same",
                "an even number of low-latency calls of a handle in each graph, or a counter in "
                "device memory"},
    CaptureRule{"generation that the host counts",
                "",
                CaptureEffect::freezes,
                "",
                "each replay signals and awaits the generations of the capture, which the "
                "words still hold",
                "a generation that a kernel counts in device memory, or two calls a graph on "
                "each word"},
    CaptureRule{"sizes and addresses that the host knew",
                "",
                CaptureEffect::freezes,
                "",
                "grids, counts and pointers are arguments of the captured nodes",
                "sizes of the worst case with counts in device memory; buffers that are "
                "allocated once"},
    CaptureRule{
        "asynchronous work on a captured stream",
        "cudaLaunchKernel cudaLaunchCooperativeKernel cudaMemcpyAsync cudaMemsetAsync "
        "cudaMallocAsync cudaFreeAsync cudaLaunchHostFunc cuStreamWriteValue32 "
        "cuStreamWaitValue32 cuStreamBatchMemOp ncclAllReduce ncclAllGather torch.scatter_add",
        CaptureEffect::recorded,
        "",
        "it becomes a node; its arguments, values included, are those of the capture",
        ""},
};

}  // namespace

std::span<const CaptureRule> capture_rules() {
  return kRules;
}

const std::vector<std::string_view>& capture_calls() {
  static const std::vector<std::string_view> calls = [] {
    std::vector<std::string_view> all;
    for (const CaptureRule& rule : kRules)
      for (std::string_view rest = rule.calls; !rest.empty();) {
        const std::size_t end = std::min(rest.find(' '), rest.size());
        all.push_back(rest.substr(0, end));
        rest.remove_prefix(std::min(end + 1, rest.size()));
      }
    return all;
  }();
  return calls;
}

const CaptureRule* rule_of_call(std::string_view call) {
  for (const CaptureRule& rule : kRules)
    for (std::size_t at = rule.calls.find(call); at != std::string_view::npos;
         at = rule.calls.find(call, at + 1)) {
      const std::size_t end = at + call.size();
      const bool begins = at == 0 || rule.calls[at - 1] == ' ';
      if (begins && (end == rule.calls.size() || rule.calls[end] == ' ')) return &rule;
    }
  return nullptr;
}

const CaptureRule& rule_of_operation(std::string_view operation) {
  const auto found = std::find_if(kRules.begin(), kRules.end(), [&](const CaptureRule& rule) {
    return rule.operation == operation;
  });
  check(found != kRules.end(), "a capture rule has this name");
  return *found;
}

}  // namespace epsim
