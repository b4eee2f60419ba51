// Tables: sorted by a click on a head, some rows at first and all on demand.

const kFirstRows = 12;
const kFewRows = 16;  // are all shown
const kFoldedRows = 150;
const kShortWords = 60;  // stay on one line

// How a column is written: enough digits that its numbers differ, and the same for all of them.
function numberFormat(values) {
  const numbers = values.filter((value) => typeof value === "number");
  if (numbers.length === 0) return null;
  const largest = Math.max(...numbers.map(Math.abs));
  const whole = numbers.every(Number.isInteger);
  const digits = whole || largest >= 1000 ? 0 : largest >= 100 ? 1 : largest >= 10 ? 2 : 3;
  const format = new Intl.NumberFormat("en-US",
    { minimumFractionDigits: digits, maximumFractionDigits: digits });
  const small = new Intl.NumberFormat("en-US", { maximumSignificantDigits: 3 });
  const least = 10 ** -digits;
  return (value) => (value !== 0 && Math.abs(value) < least ? small : format).format(value);
}

// Nothing comes last, whichever way.
function compareCells(a, b, way) {
  if (a === null || b === null) return (a === null) - (b === null);
  if (typeof a === "number" && typeof b === "number") return way * (a - b);
  return way * String(a).localeCompare(String(b), "en", { numeric: true });
}

function cell(column, value, format) {
  if (value === null || value === "")
    return element("td", { class: format ? "number nothing" : "nothing" }, "–");
  if (column.flag) return element("td", { class: "short" }, flagText(value));
  if (typeof value !== "number")
    return element("td", { class: value.length <= kShortWords ? "short" : "long" }, value);
  return element("td", { class: "number", title: String(value) }, format(value));
}

function placeTable(place) {
  const table = tables.get(place.dataset.table);
  const formats = table.columns.map((column, c) =>
    (column.flag ? null : numberFormat(table.rows.map((row) => row[c]))));
  let sorted = { column: -1, way: 1 };
  let isWhole = false;

  const heads = table.columns.map((column, c) => element("th",
    { scope: "col", class: formats[c] ? "number" : null, title: column.name },
    element("button", {
      type: "button",
      onclick: () => {
        sorted = { column: c, way: sorted.column === c ? -sorted.way : 1 };
        draw();
      },
    }, column.label)));
  const body = element("tbody");
  const count = element("span", { class: "count", "aria-live": "polite" });
  const more = element("button", {
    type: "button", class: "more", onclick: () => { isWhole = !isWhole; draw(); },
  });

  function draw() {
    let rows = chosenRows(table);
    if (sorted.column >= 0)
      rows = [...rows].sort((a, b) => compareCells(a[sorted.column], b[sorted.column], sorted.way));
    const isLong = rows.length > kFewRows;
    const shown = isWhole || !isLong ? rows : rows.slice(0, kFirstRows);
    body.replaceChildren(...shown.map((row) =>
      element("tr", {}, ...row.map((value, c) => cell(table.columns[c], value, formats[c])))));
    heads.forEach((head, c) => {
      if (c === sorted.column)
        head.setAttribute("aria-sort", sorted.way > 0 ? "ascending" : "descending");
      else
        head.removeAttribute("aria-sort");
    });
    const all = table.rows.length.toLocaleString("en-US");
    const some = rows.length.toLocaleString("en-US");
    count.textContent = rows.length === table.rows.length ? `${all} rows` : `${some} of ${all} rows`;
    more.hidden = !isLong;
    more.textContent = isWhole ? `Show the first ${kFirstRows} rows` : `Show all ${some} rows`;
  }

  const box = element("div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": table.title },
    element("table", {}, element("thead", {}, element("tr", {}, ...heads)), body));
  if (table.rows.length > kFoldedRows)
    place.append(element("details", {}, element("summary", {}, table.title, " ", count), box, more));
  else
    place.append(element("div", { class: "title" }, element("b", {}, table.title), count), box, more);
  table.listeners.push(draw);
  draw();
}
