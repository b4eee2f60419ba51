#include "calibrate/validate_figure.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include <fmt/format.h>

namespace epsim {
namespace {

constexpr double kSide = 460;  // of the plotting square
constexpr double kLeft = 64;   // room for the axis
constexpr double kTop = 24;
constexpr double kLegend = 290;  // room at the right
constexpr std::array<std::string_view, 8> kColours = {
    "#1f6fb2", "#d9662b", "#2e8b57", "#8e44ad", "#b8860b", "#c0392b", "#16a2a2", "#6b6b6b"};

// Latencies in microseconds to positions on the page.
class Axes {
 public:
  explicit Axes(const std::vector<ValidationRecord>& records) {
    double low = 1e300;
    double high = 1e-300;
    for (const ValidationRecord& record : records) {
      low = std::min({low, record.measured_us, record.predicted_us});
      high = std::max({high, record.measured_us, record.predicted_us});
    }
    low_ = std::log10(low * 0.8);
    high_ = std::log10(high * 1.25);
  }
  [[nodiscard]] double x(double us) const { return kLeft + kSide * share(us); }
  [[nodiscard]] double y(double us) const { return kTop + kSide * (1 - share(us)); }
  [[nodiscard]] double low_us() const { return std::pow(10, low_); }
  [[nodiscard]] double high_us() const { return std::pow(10, high_); }

 private:
  [[nodiscard]] double share(double us) const {
    return std::clamp((std::log10(us) - low_) / (high_ - low_), 0.0, 1.0);
  }
  double low_ = 0;
  double high_ = 1;
};

std::string grid(const Axes& axes) {
  std::string svg;
  for (double decade = 1e-3; decade <= axes.high_us(); decade *= 10) {
    for (const double step : {1.0, 2.0, 5.0}) {
      const double us = decade * step;
      if (us < axes.low_us() || us > axes.high_us()) continue;
      svg += fmt::format(
          "<path class=\"grid\" d=\"M{0:.1f} {1:.1f}V{2:.1f}M{3:.1f} {4:.1f}H{5:.1f}\"/>\n"
          "<text x=\"{0:.1f}\" y=\"{6:.1f}\" text-anchor=\"middle\">{7:g}</text>\n"
          "<text x=\"{8:.1f}\" y=\"{9:.1f}\" text-anchor=\"end\">{7:g}</text>\n",
          axes.x(us),
          kTop,
          kTop + kSide,
          kLeft,
          axes.y(us),
          kLeft + kSide,
          kTop + kSide + 16,
          us,
          kLeft - 6,
          axes.y(us) + 4);
    }
  }
  return svg;
}

std::string band(const Axes& axes) {
  const double low = axes.low_us();
  const double high = axes.high_us();
  return fmt::format(
      "<polygon class=\"band\" points=\"{:.1f},{:.1f} {:.1f},{:.1f} {:.1f},{:.1f} "
      "{:.1f},{:.1f}\"/>\n"
      "<path class=\"equal\" d=\"M{:.1f} {:.1f}L{:.1f} {:.1f}\"/>\n",
      axes.x(low),
      axes.y(low * 1.1),
      axes.x(high / 1.1),
      axes.y(high),
      axes.x(high),
      axes.y(high / 1.1),
      axes.x(low * 1.1),
      axes.y(low),
      axes.x(low),
      axes.y(low),
      axes.x(high),
      axes.y(high));
}

std::string marks(const Axes& axes,
                  const std::vector<ValidationRecord>& records,
                  const ErrorGroup& group,
                  std::string_view paint) {
  std::string svg;
  for (const ValidationRecord& record : records)
    if (record.kernel == group.kernel && record.operation == group.operation)
      svg += fmt::format(
          "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3.5\" stroke=\"{}\" stroke-width=\"1.3\" "
          "fill=\"{}\" fill-opacity=\"0.75\"><title>{}: {:.1f} us, predicted "
          "{:.1f}</title></circle>\n",
          axes.x(record.measured_us),
          axes.y(record.predicted_us),
          paint,
          record.fitted ? paint : "#fff",
          record.id,
          record.measured_us,
          record.predicted_us);
  return svg;
}

std::string legend_entry(const ErrorGroup& group, std::string_view paint, double y) {
  return fmt::format(
      "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"4.5\" fill=\"{}\"/>"
      "<text class=\"b\" x=\"{:.1f}\" y=\"{:.1f}\">{} {}</text>"
      "<text x=\"{:.1f}\" y=\"{:.1f}\">median {:.1f} %, p90 {:.1f} %</text>\n",
      kLeft + kSide + 20,
      y - 4,
      paint,
      kLeft + kSide + 32,
      y,
      group.kernel,
      group.operation,
      kLeft + kSide + 32,
      y + 16,
      group.errors.median_abs_pct,
      group.errors.p90_abs_pct);
}

}  // namespace

std::string validation_svg(const std::vector<ValidationRecord>& records) {
  const Axes axes(records);
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {:g} {:g}\" width=\"{:g}\">\n"
      "<style>text{{font:12px sans-serif;fill:#333}}.grid{{stroke:#e4e4e4;fill:none}}"
      ".band{{fill:#f1f4f8}}.equal{{stroke:#888;stroke-dasharray:4 "
      "3}}.b{{font-weight:bold}}</style>\n"
      "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n",
      kLeft + kSide + kLegend,
      kTop + kSide + 48,
      kLeft + kSide + kLegend);
  svg += band(axes) + grid(axes);
  svg += fmt::format(
      "<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">measured latency, us</text>\n"
      "<text transform=\"translate(16 {:.1f}) rotate(-90)\" text-anchor=\"middle\">"
      "predicted latency, us</text>\n",
      kLeft + kSide / 2,
      kTop + kSide + 38,
      kTop + kSide / 2);
  double legend = kTop + 12;
  std::size_t colour = 0;
  for (const ErrorGroup& group : group_errors(records)) {
    const std::string_view paint = kColours[colour++ % kColours.size()];
    svg += marks(axes, records, group, paint) + legend_entry(group, paint, legend);
    legend += 44;
  }
  svg += fmt::format(
      "<text x=\"{0:.1f}\" y=\"{1:.1f}\">filled: seen by the fit</text>"
      "<text x=\"{0:.1f}\" y=\"{2:.1f}\">hollow: not fitted</text>"
      "<text x=\"{0:.1f}\" y=\"{3:.1f}\">band: within 10 %</text>\n</svg>\n",
      kLeft + kSide + 20,
      legend + 8,
      legend + 26,
      legend + 44);
  return svg;
}

}  // namespace epsim
