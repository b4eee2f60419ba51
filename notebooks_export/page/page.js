// The page: what the document holds, which rows of it a reader has chosen, and everything that shows
// them. page_tables.js draws tables, page_charts.js charts; both ask `chosenRows`.
const report = JSON.parse(document.getElementById("document").textContent);

// A value as filters know it: "" is nothing.
const keyOf = (value) => (value === null ? "" : String(value));

// Tables by name: columns, rows, per filter what is chosen (nothing: all), and who wants to know.
const tables = new Map(report.tables.map((table) => [table.name, {
  ...table,
  chosen: new Map(table.filters.map((name) => [name, new Set()])),
  listeners: [],
}]));

const columnIndex = (table, name) => table.columns.findIndex((column) => column.name === name);

function chosenRows(table) {
  const tests = [...table.chosen].filter(([, keys]) => keys.size > 0)
    .map(([name, keys]) => [columnIndex(table, name), keys]);
  return tests.length === 0 ? table.rows
    : table.rows.filter((row) => tests.every(([index, keys]) => keys.has(keyOf(row[index]))));
}

function choose(table, name, keys) {
  table.chosen.set(name, new Set(keys));
  for (const listener of table.listeners) listener();
}

// Elements without innerHTML, so that no text of a result is ever read as markup.
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value !== null) made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

// Different values of a column: numbers by size, words in the order of the rows.
function valuesOf(table, name) {
  const index = columnIndex(table, name);
  const values = [...new Set(table.rows.map((row) => row[index]))];
  if (values.every((value) => value === null || typeof value === "number"))
    values.sort((a, b) => (a ?? -Infinity) - (b ?? -Infinity));
  return values;
}

const flagText = (value) => (value === 1 ? "yes" : "no");

function shownValue(column, value) {
  if (value === null || value === "") return "–";
  return column.flag ? flagText(value) : numberText(value);
}

// Words or numbers as people read them, in whatever precision they have.
function numberText(value) {
  return typeof value === "number"
    ? value.toLocaleString("en-US", { maximumSignificantDigits: 6 }) : value;
}

const kMostChips = 9;

function filterChips(table, name, column, values) {
  const boxes = values.map((value) => element("input", {
    type: "checkbox", name, value: keyOf(value),
    onchange: () => choose(table, name, boxes.filter((box) => box.checked).map((box) => box.value)),
  }));
  table.listeners.push(() => {
    for (const box of boxes) box.checked = table.chosen.get(name).has(box.value);
  });
  return element("fieldset", {}, element("legend", {}, column.label), ...boxes.map((box, i) =>
    element("label", {}, box, element("span", {}, shownValue(column, values[i])))));
}

function filterList(table, name, column, values) {
  const list = element("select", {
    name, "aria-label": column.label,
    onchange: () => choose(table, name, list.selectedIndex === 0 ? [] : [list.value]),
  }, element("option", { value: "" }, `all ${values.length}`), ...values.map((value) =>
    element("option", { value: keyOf(value) }, shownValue(column, value))));
  table.listeners.push(() => {
    const [key] = table.chosen.get(name);
    list.selectedIndex = key === undefined ? 0 : 1 + values.findIndex((v) => keyOf(v) === key);
  });
  return element("fieldset", {}, element("legend", {}, column.label), list);
}

// Null where the table has nothing to choose by.
function filterBar(table) {
  const groups = [];
  for (const name of table.filters) {
    const values = valuesOf(table, name);
    if (values.length < 2) continue;
    const column = table.columns[columnIndex(table, name)];
    groups.push((values.length <= kMostChips ? filterChips : filterList)(table, name, column, values));
  }
  if (groups.length === 0) return null;
  const clear = element("button", {
    type: "button", class: "clear", hidden: true,
    onclick: () => {
      for (const name of table.filters) table.chosen.set(name, new Set());
      for (const listener of table.listeners) listener();
    },
  }, "Show all rows");
  table.listeners.push(() => {
    clear.hidden = [...table.chosen.values()].every((keys) => keys.size === 0);
  });
  return element("div", {
    class: "filters", role: "group", "aria-label": `Choose rows of ${table.title}`,
    "data-filters": table.name,
  }, ...groups, clear);
}

// One bar for each table that a section shows: above its charts, or, where there are several, with
// the first chart or table that it is for.
function placeFilters(section) {
  const bars = new Map();
  for (const place of section.querySelectorAll("[data-table]")) {
    const name = place.dataset.table;
    if (!bars.has(name)) bars.set(name, { place, bar: filterBar(tables.get(name)) });
  }
  const placed = [...bars.values()].filter(({ bar }) => bar);
  for (const { place, bar } of placed) {
    const caption = place.querySelector("figcaption");
    if (placed.length > 1 && caption) caption.after(bar);
    else (place.closest(".charts") ?? place).before(bar);
  }
}

function placeCopyButton() {
  const command = document.querySelector(".command");
  if (!command || !navigator.clipboard) return;
  const button = element("button", {
    type: "button",
    onclick: async () => {
      await navigator.clipboard.writeText(command.querySelector("code").textContent);
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    },
  }, "Copy");
  command.append(button);
}

placeCopyButton();
for (const section of document.querySelectorAll("main > section")) placeFilters(section);
for (const place of document.querySelectorAll(".table")) placeTable(place);
placeCharts();
