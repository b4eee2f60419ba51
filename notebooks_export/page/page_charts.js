// Charts: Vega-Lite specifications, each over the chosen rows of its table, in the page's colours.

const isDark = window.matchMedia("(prefers-color-scheme: dark)");
const kSeriesColours = 10;
// From little to much: light paper to ink, dark paper to light.
const kHeatRamps = {
  light: ["#f3f6fa", "#c9dcef", "#8db9e0", "#4c8fca", "#1f63a6", "#0d3c70"],
  dark: ["#1d232b", "#1f3f5f", "#24639b", "#3484c4", "#62a9e0", "#a9d6f8"],
};

// Colours by their names in page.css, so that light, dark and paper need no new picture.
const kChartConfig = {
  background: "transparent",
  font: "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'Liberation Sans', sans-serif",
  axis: {
    labelColor: "var(--muted)", titleColor: "var(--ink)", gridColor: "var(--grid)",
    domainColor: "var(--rule)", tickColor: "var(--rule)", labelFontSize: 11.5, titleFontSize: 12,
    titleFontWeight: 500, titlePadding: 10, labelPadding: 4,
  },
  axisQuantitative: { tickCount: 8 },
  axisX: { labelSeparation: 16 },
  axisY: { domain: false, ticks: false },
  legend: {
    labelColor: "var(--ink)", titleColor: "var(--muted)", labelFontSize: 12, titleFontSize: 12,
    titleFontWeight: 400, orient: "top", symbolStrokeWidth: 0, gradientLength: 160,
    gradientThickness: 10, titleOrient: "left", titlePadding: 8, columnPadding: 14,
  },
  view: { stroke: null },
};

const kZoomHint = "Shift + wheel zooms, dragging moves, a double click resets";

// Every object within, the specification itself first.
function* parts(value) {
  if (value === null || typeof value !== "object") return;
  yield value;
  for (const inner of Object.values(value)) yield* parts(inner);
}

function colourScale(color) {
  if (color.type === "quantitative") {
    color.scale = { ...color.scale, range: kHeatRamps[isDark.matches ? "dark" : "light"] };
    delete color.scale.scheme;
  } else if (Array.isArray(color.scale?.range)) {
    color.scale.range = color.scale.range.map((_, i) => `var(--series-${i % kSeriesColours + 1})`);
  } else if (color.value) {
    color.value = "var(--series-1)";
  }
}

// Names beside the plot and in the legend take no more than their part of a narrow screen.
function fitNames(encoding, width) {
  let beside = 70;  // numbers along y, and their title
  if (encoding.y?.axis?.labelLimit) {
    beside = Math.min(encoding.y.axis.labelLimit, 0.34 * width);
    encoding.y.axis.labelLimit = beside;
  }
  const words = encoding.color?.scale?.domain;
  if (!words || encoding.color.legend === null) return;
  const widest = 6.5 * Math.max(...words.map((word) => String(word).length)) + 36;
  const title = 7 * String(encoding.color.title ?? "").length;
  const columns = Math.max(1, Math.floor((width - beside - title) / widest));
  if (columns < words.length) encoding.color.legend = { ...encoding.color.legend, columns };
}

// What was made for a white sheet of its own, for this page.
function pageSpec(chart) {
  const spec = structuredClone(chart.spec);
  for (const part of parts(spec)) {
    if (part.encoding) fitNames(part.encoding, chart.plot.clientWidth);
    if (part.encoding?.color) colourScale(part.encoding.color);
    for (const axis of [part.encoding?.x, part.encoding?.y])
      if (axis?.scale?.type === "log") Object.assign(axis.scale, { nice: false, padding: 12 });
    if (part.mark?.stroke) part.mark.stroke = "var(--paper)";
    if (part.mark?.type === "line") part.mark.color = "var(--muted)";
    if (chart.line && part.mark?.type === "circle")
      part.encoding.size = { condition: { test: { field: chart.line, equal: 1 }, value: 110 }, value: 45 };
    // The wheel alone scrolls the page.
    if (part.bind === "scales") part.select.zoom = "wheel![event.shiftKey]";
  }
  delete spec.$schema;
  delete spec.title;
  return {
    ...spec, width: "container", data: { name: "rows" }, config: kChartConfig,
    autosize: { type: "fit-x", contains: "padding" },
  };
}

// As objects, which Vega keeps; what a line joins last, so that it is drawn over the others.
function records(chart, rows) {
  const { table, line } = chart;
  const ordered = line ? [...rows].sort((a, b) =>
    (a[columnIndex(table, line)] === 1) - (b[columnIndex(table, line)] === 1)) : rows;
  return ordered.map((row) =>
    Object.fromEntries(table.columns.map((column, c) => [column.name, row[c]])));
}

async function drawChart(chart) {
  const rows = chosenRows(chart.table);
  chart.plot.classList.toggle("empty", rows.length === 0);
  if (chart.view) {
    chart.view.change("rows", vega.changeset().remove(() => true)
      .insert(records(chart, rows)));
    await chart.view.runAsync();
    return;
  }
  const spec = pageSpec(chart);
  spec.data.values = records(chart, rows);
  const drawn = await vegaEmbed(chart.plot, spec, {
    mode: "vega-lite", ast: true, renderer: "svg", actions: false, defaultStyle: false, logLevel: vega.Error,
    tooltip: { disableDefaultStyle: true, theme: "page" },
  });
  chart.view = drawn.view;
}

// One picture after the other, so that a click that comes early finds a view that is whole.
let drawing = Promise.resolve();
function draw(chart) {
  drawing = drawing.then(() => drawChart(chart));
  return drawing;
}

function placeCharts() {
  const charts = [...document.querySelectorAll("figure[data-chart]")].map((figure) => {
    const { table, line, spec } = report.charts[Number(figure.dataset.chart)];
    const plot = element("div", { class: "plot" });
    figure.append(plot);
    const zooms = [...parts(spec)].some((part) => part.bind === "scales");
    if (zooms) figure.querySelector("figcaption").append(element("small", {}, kZoomHint));
    return { table: tables.get(table), line, spec, plot, view: null };
  });
  for (const chart of charts) {
    chart.table.listeners.push(() => draw(chart));
    draw(chart);
  }
  isDark.addEventListener("change", () => {
    for (const chart of charts) {
      chart.view?.finalize();
      chart.view = null;
      draw(chart);
    }
  });
  drawing.then(() => { document.documentElement.dataset.ready = ""; });
}
