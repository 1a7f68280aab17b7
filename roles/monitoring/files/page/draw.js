// Numbers, bars, tables and heat maps, from the answers of queries about now.

import { make, plain } from "./element.js";
import { colour, fieldOf, text } from "./format.js";
import { byName, nameOf } from "./query.js";

const valueOf = (series) => Number(series.value[1]);

/** Return one number, or one for each series with its name; null without any. */
export function stat(panel, answers) {
  const named = Boolean(panel.targets[0].legendFormat);
  const items = answers.flat().map((series) => {
    const name = plain(nameOf(panel.targets[0].legendFormat, series.metric));
    const field = fieldOf(panel, name);
    const number = make("span", { class: "number" }, text(valueOf(series), field));
    number.style.color = colour(valueOf(series), field);
    return make("div", { class: "stat" }, number, ...(named ? [make("span", { class: "name" }, name)] : []));
  });
  return items.length ? make("div", { class: "stats" }, ...items) : null;
}

/** Return a bar for each series, the longest first. */
export function bars(panel, answers) {
  const field = panel.fieldConfig.defaults;
  const rows = answers.flat().sort((one, other) => valueOf(other) - valueOf(one));
  if (!rows.length) return null;
  const top = field.max ?? Math.max(...rows.map(valueOf), 1);
  return make("ul", { class: "bars" }, ...rows.map((series) => {
    const fill = make("span", { class: "fill" });
    fill.style.width = `${Math.max(0, Math.min(100, (100 * valueOf(series)) / top))}%`;
    fill.style.background = colour(valueOf(series), field) || "var(--plain)";
    return make("li", {},
      make("span", { class: "name" }, plain(nameOf(panel.targets[0].legendFormat, series.metric))),
      make("span", { class: "track" }, fill),
      make("span", { class: "number" }, text(valueOf(series), field)));
  }));
}

const transformation = (panel, id) => (panel.transformations || []).find((each) => each.id === id)?.options;

/** Return a heat map or a table; null where no query gave anything. */
export function table(panel, answers, link) {
  if (!answers.flat().length) return null;
  const turn = transformation(panel, "groupingToMatrix");
  return turn ? matrix(panel, answers.flat(), turn, link) : rowsOf(panel, answers);
}

function matrix(panel, series, turn, link) {
  const field = panel.fieldConfig.defaults;
  const cells = new Map();
  const columns = new Set();
  for (const each of series) {
    const row = each.metric[turn.rowField] ?? "";
    const column = each.metric[turn.columnField] ?? "";
    columns.add(column);
    if (!cells.has(row)) cells.set(row, new Map());
    cells.get(row).set(column, valueOf(each));
  }
  const heads = [...columns].sort(byName);
  const body = [...cells.keys()].sort(byName).map((row) => make("tr", {},
    make("th", { scope: "row" }, make("a", { href: link({ node: row }) }, plain(row))),
    ...heads.map((column) => cell(field, cells.get(row).get(column), `${row} GPU ${column}`))));
  const head = make("tr", {}, make("th", { scope: "col" }, "Node"),
    ...heads.map((column) => make("th", { scope: "col", title: `GPU ${plain(column)}` }, plain(column))));
  return make("table", { class: "matrix" }, make("thead", {}, head), make("tbody", {}, ...body));
}

function cell(field, value, where) {
  if (value === undefined) return make("td", { class: "none", title: plain(`${where}: no data`) }, "·");
  const whole = Number.isFinite(value) ? String(Math.round(value)) : "?";
  const shown = make("td", { title: plain(`${where}: ${text(value, field)}`) }, whole);
  const paint = colour(value, field);
  shown.style.background = paint;
  shown.classList.add(paint.startsWith("#") ? (dark(paint) ? "on-dark" : "on-light") : "on-tone");
  return shown;
}

/** Return whether white text is easier to read on the colour #rrggbb. */
function dark(paint) {
  const [red, green, blue] = [1, 3, 5].map((place) => parseInt(paint.slice(place, place + 2), 16) / 255)
    .map((part) => (part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue < 0.179;
}

function rowsOf(panel, answers) {
  const organize = transformation(panel, "organize") || {};
  const values = answers.length === 1 ? ["Value"] : panel.targets.map(({ refId }) => `Value #${refId}`);
  const rows = merged(answers, values, organize.excludeByName || {});
  const place = organize.indexByName || {};
  const labels = new Set(rows.flatMap((row) => Object.keys(row.labels)));
  const hidden = organize.excludeByName || {};
  const names = [...labels, ...values].filter((name) => !hidden[name]).sort((one, other) => (place[one] ?? 99) - (place[other] ?? 99));
  const columns = names.map((name) => ({
    name,
    title: organize.renameByName?.[name] ?? name,
    number: values.includes(name),
    field: fieldOf(panel, organize.renameByName?.[name] ?? name),
  }));
  rows.sort((one, other) => compare(one, other, names.filter((name) => labels.has(name))));
  return sortable(columns, rows);
}

function compare(one, other, labels) {
  for (const name of labels) {
    const order = byName(one.labels[name] ?? "", other.labels[name] ?? "");
    if (order) return order;
  }
  return 0;
}

/** Join the answers on the labels that they have in common, as Grafana's "merge" does. */
function merged(answers, values, excluded) {
  const own = (series) => Object.entries(series.metric).filter(([name]) => name !== "__name__" && !excluded[name]);
  const full = answers.filter((each) => each.length);
  const shared = full.map((each) => new Set(each.flatMap((series) => own(series).map(([name]) => name))))
    .reduce((one, other) => new Set([...one].filter((name) => other.has(name))));
  const rows = new Map();
  answers.forEach((answer, index) => {
    for (const series of answer) {
      const labels = own(series);
      const key = JSON.stringify(labels.filter(([name]) => full.length === 1 || shared.has(name)).sort());
      if (!rows.has(key)) rows.set(key, []);
      // Two series of one query are two rows, whatever they have in common with others.
      let row = rows.get(key).find((each) => !(values[index] in each.values));
      if (!row) rows.get(key).push(row = { labels: {}, values: {} });
      Object.assign(row.labels, Object.fromEntries(labels));
      row.values[values[index]] = valueOf(series);
    }
  });
  return [...rows.values()].flat();
}

/** Return a table whose headings sort it. */
function sortable(columns, rows) {
  const body = make("tbody");
  const fill = () => body.replaceChildren(...rows.map((row) => make("tr", {}, ...columns.map((each) => entry(each, row)))));
  const heads = columns.map((column) => {
    const head = make("th", { scope: "col", class: column.number ? "right" : null });
    head.append(make("button", { type: "button", onclick: () => sort(column, head) }, plain(column.title)));
    return head;
  });
  const sort = (column, head) => {
    const down = head.getAttribute("aria-sort") === "ascending";
    heads.forEach((each) => each.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    rows.sort((one, other) => (down ? -1 : 1) * (column.number
      ? (one.values[column.name] ?? -Infinity) - (other.values[column.name] ?? -Infinity)
      : byName(one.labels[column.name] ?? "", other.labels[column.name] ?? "")));
    fill();
  };
  fill();
  return make("table", { class: "rows" }, make("thead", {}, make("tr", {}, ...heads)), body);
}

function worded(column, label) {
  const shown = make("td", {}, plain(label));
  if (column.field["custom.cellOptions"]) shown.style.color = colour(label, column.field);
  return shown;
}

function entry(column, row) {
  if (!column.number) return worded(column, row.labels[column.name] ?? "");
  const value = row.values[column.name];
  const shown = make("td", { class: "right" }, value === undefined ? "-" : text(value, column.field));
  if (value !== undefined && column.field["custom.cellOptions"]) shown.style.color = colour(value, column.field);
  return shown;
}
