// ChartFrame: the paper that a chart is drawn on: title, axes with round numbers, legend. Marks are
// for whoever draws them, between what stands behind and the end.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "notebooks_export/chart_data.hpp"
#include "notebooks_export/export_document.hpp"

namespace epsim {

// One side of the plot: values, or places of names, to positions on the page.
struct ChartAxis {
  double low = 0, high = 1;  // values at the two ends
  double from = 0, to = 1;   // where these stand
  bool is_log = false;
  [[nodiscard]] double at(double value) const;
  // The room that each name has; of axes of names alone.
  [[nodiscard]] double band() const;
};

class ChartFrame {
 public:
  ChartFrame(const ExportChart& chart, const ExportTable& table, const ChartData& data);

  [[nodiscard]] const ChartAxis& x() const { return x_; }
  [[nodiscard]] const ChartAxis& y() const { return y_; }

  [[nodiscard]] std::string back() const;  // from "<svg" to the grid
  [[nodiscard]] std::string end() const;   // axes over the marks, legend, "</svg>"

 private:
  [[nodiscard]] std::string x_numbers() const;
  [[nodiscard]] std::string y_numbers() const;
  [[nodiscard]] std::string x_words() const;
  [[nodiscard]] std::string y_words() const;
  [[nodiscard]] std::string names_legend() const;
  [[nodiscard]] std::string heat_legend() const;

  const ExportChart& chart_;
  const ChartData& data_;
  std::string x_title_, y_title_, color_title_;
  std::vector<std::string> x_names_, y_names_, color_names_;  // as they are shown
  bool is_tilted_ = false;                                    // names under the x axis
  double width_ = 0, height_ = 0;                             // of the page
  ChartAxis x_, y_;
};

// Text between tags and in quotes; what XML cannot hold becomes "?".
[[nodiscard]] std::string svg_text(std::string_view text);
// Cut to `most` letters, the last an ellipsis where something is left out.
[[nodiscard]] std::string shortened(std::string_view text, std::size_t most);
// In letters, not bytes.
[[nodiscard]] std::size_t letter_count(std::string_view text);

}  // namespace epsim
