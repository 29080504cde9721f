// Tables and charts of data. Both are drawn simply, and both can be read without seeing them.
import { h } from "./dom.js";
import { richText } from "./mrkdwn.js";

const COLOURS = ["#1264a3", "#e01e5a", "#ecb22e", "#2eb67d", "#7c3085", "#5b6b7d"];

/** A table that a click on a column's name sorts. */
export function dataTable(block, { people }) {
  const [names, ...rows] = block.rows;
  const body = h("tbody", {}, rows.map((row) => line(row, people)));
  let sorted = { column: -1, way: 1 };
  const sort = (column, button) => {
    sorted = { column, way: sorted.column === column ? -sorted.way : 1 };
    for (const other of button.closest("tr").children) other.removeAttribute("aria-sort");
    button.parentNode.setAttribute("aria-sort", sorted.way > 0 ? "ascending" : "descending");
    body.replaceChildren(...rows.toSorted((a, b) => sorted.way * compare(a[column], b[column])).map((row) => line(row, people)));
  };
  const head = names.map((name, column) => {
    const button = h("button", { type: "button", onclick: () => sort(column, button) }, name.text);
    return h("th", { scope: "col" }, button);
  });
  return h("div", { tabindex: "0", role: "region", "aria-label": block.caption },
    h("table", {}, h("caption", {}, block.caption), h("thead", {}, h("tr", {}, head)), body));
}

const line = (row, people) => h("tr", {}, row.map((cell) =>
  h("td", { class: cell.type === "raw_number" ? "number" : "" },
    cell.type === "rich_text" ? cell.elements.map((part) => richText(part, people)) : String(cell.text ?? cell.value))));

const compare = (a, b) => (a.type === "raw_number" && b.type === "raw_number" ? a.value - b.value : words(a).localeCompare(words(b)));
const words = (cell) => String(cell.text ?? cell.value ?? "");

/** Bars for each category, beside each other; a pie stands as bars too. Each says what it is of. */
export function chart(block) {
  const { segments, series, axis_config: axes } = block.chart;
  const shown = segments ? [{ name: block.title, data: segments }] : series;
  const categories = segments ? segments.map((segment) => segment.label) : axes.categories;
  const most = Math.max(1, ...shown.flatMap((one) => one.data.map((point) => point.value)));
  const groups = categories.map((category, n) => h("li", {},
    h("span", { class: "bars" }, shown.map((one, k) => bar(one, n, k, most))), h("small", {}, category)));
  const legend = shown.length > 1 && h("ul", { class: "legend" }, shown.map((one, k) =>
    h("li", {}, h("i", { style: `background:${COLOURS[k]}` }), one.name)));
  return h("figure", {}, h("figcaption", {}, block.title), h("ul", { class: "plot" }, groups), legend);
}

function bar(one, n, k, most) {
  const { label, value } = one.data[n];
  const said = `${label}, ${one.name}: ${value}`;
  return h("span", { class: "bar", role: "img", title: said, "aria-label": said, style: `height:${(100 * value) / most}%;background:${COLOURS[k]}` });
}
