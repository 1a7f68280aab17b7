// Lines over time on a canvas, with a legend that is also the table of their values.

import { make, plain } from "./element.js";
import { clock, css, text } from "./format.js";
import { byName, nameOf } from "./query.js";

const COLOURS = ["#4c8ed9", "#e0873a", "#3ba272", "#b46bd6", "#d9534f", "#7a8b99", "#c9a227", "#2fb0b8", "#9a6a4f", "#d76fa4"];
const LEFT = 74, RIGHT = 10, TOP = 8, BOTTOM = 22;
const NAMED_LINES = 200, HOVERED_LINES = 10;

/** Return a canvas with its legend; null where no query gave anything. */
export function graph(panel, answers) {
  const lines = linesOf(panel, answers);
  if (!lines.length) return null;
  const view = { panel, lines, ...spanOf(answers), field: panel.fieldConfig.defaults, only: null, hover: null };
  view.canvas = make("canvas", { role: "img", "aria-label": summary(view) });
  view.tip = make("div", { class: "tip", hidden: true });
  const plot = make("div", { class: "plot" }, view.canvas, view.tip);
  new ResizeObserver(() => paint(view)).observe(plot);
  view.canvas.addEventListener("pointermove", (event) => point(view, event));
  view.canvas.addEventListener("pointerleave", () => leave(view));
  return make("div", { class: "graph" }, plot, legend(view));
}

function spanOf(answers) {
  const { start, end, step } = answers[0];
  return { start, end, step };
}

function linesOf(panel, answers) {
  const lines = answers.flatMap((answer, target) => answer.series.map((series) => ({
    name: plain(nameOf(panel.targets[target].legendFormat, series.metric)),
    points: series.values.map(([time, value]) => [time, Number(value)]),
  })));
  lines.sort((one, other) => byName(one.name, other.name));
  return lines.map((line, place) => ({ ...line, ...measures(line.points), colour: COLOURS[place % COLOURS.length] }));
}

function measures(points) {
  const numbers = points.map(([, value]) => value).filter(Number.isFinite);
  return { last: numbers.at(-1) ?? NaN, most: numbers.length ? numbers.reduce((one, other) => Math.max(one, other)) : NaN };
}

function summary({ panel, lines, field }) {
  const first = lines.slice(0, 5).map((line) => `${line.name} ${text(line.last, field)}`).join(", ");
  return `${panel.title}, ${lines.length} ${lines.length === 1 ? "line" : "lines"}; last values: ${first}`;
}

function legend(view) {
  const rows = view.lines.slice(0, NAMED_LINES).map((line) => {
    const mark = make("span", { class: "mark" });
    mark.style.background = line.colour;
    const button = make("button", { type: "button", "aria-pressed": "false" }, mark, line.name);
    button.addEventListener("click", () => choose(view, line, button));
    return make("tr", {}, make("td", {}, button), number(line.last, view), number(line.most, view));
  });
  const more = view.lines.length - rows.length;
  if (more > 0) rows.push(make("tr", {}, make("td", { colspan: 3 }, `and ${more} more lines; choose a node`)));
  const head = make("tr", {}, make("th", { scope: "col" }, "Name"), make("th", { scope: "col", class: "right" }, "Last"), make("th", { scope: "col", class: "right" }, "Max"));
  return make("div", { class: "legend", tabindex: 0, role: "group", "aria-label": `${view.panel.title}: legend` },
    make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows)));
}

function number(value, view) {
  return make("td", { class: "right" }, Number.isFinite(value) ? text(value, view.field) : "-");
}

function choose(view, line, button) {
  view.only = view.only === line ? null : line;
  for (const each of button.closest("table").querySelectorAll("button")) {
    each.setAttribute("aria-pressed", String(view.only !== null && each === button));
  }
  paint(view);
}

const shown = (view) => (view.only ? [view.only] : view.lines);

/** Return the lines as they are drawn: one upon the other where the panel stacks them. */
function drawn(view) {
  const lines = shown(view);
  if (view.field.custom?.stacking?.mode !== "normal") return lines;
  const below = new Map();
  return lines.map((line) => ({
    ...line,
    points: line.points.map(([time, value]) => {
      const sum = (below.get(time) || 0) + (Number.isFinite(value) ? value : 0);
      below.set(time, sum);
      return [time, sum];
    }),
  }));
}

function scale(view, lines) {
  let top = view.field.max ?? -Infinity;
  let bottom = view.field.min ?? Infinity;
  for (const { points } of lines) {
    for (const [, value] of points) {
      if (!Number.isFinite(value)) continue;
      if (view.field.max === undefined && value > top) top = value;
      if (value < bottom) bottom = value;
    }
  }
  if (!Number.isFinite(bottom)) bottom = 0;
  if (!(top > bottom)) top = bottom + 1;
  const rough = (top - bottom) / 4;
  // Half a node or half a task is no place for a line of the grid.
  const gap = nice(whole(view, lines) ? Math.max(1, rough) : rough, view.field.unit === "bytes");
  return { bottom, top: view.field.max ?? Math.ceil(top / gap - 1e-9) * gap, gap };
}

function whole(view, lines) {
  return view.field.unit === "short" && lines.every(({ points }) => points.every(([, value]) => Number.isInteger(value)));
}

/** Return a round distance between lines of the grid, at least that large. */
function nice(rough, binary) {
  const base = binary ? 2 ** Math.floor(Math.log2(Math.max(rough, 1))) : 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 2.5, 5, 10].map((factor) => factor * base).find((gap) => gap >= rough * 0.999) || 10 * base;
}

function paint(view) {
  const box = view.canvas.parentElement.getBoundingClientRect();
  if (!box.width || !box.height) return;
  const ratio = window.devicePixelRatio || 1;
  view.canvas.width = Math.round(box.width * ratio);
  view.canvas.height = Math.round(box.height * ratio);
  const pen = view.canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  const lines = drawn(view);
  const at = places(view, box, scale(view, lines));
  view.at = at;
  grid(view, pen, at);
  limits(view, pen, at);
  const stacked = view.field.custom?.stacking?.mode === "normal";
  for (const line of [...lines].reverse()) stroke(pen, at, line, view.step, stacked ? at.y(at.bottom) : null);
  if (view.hover !== null) rule(pen, at, view.hover);
}

function places(view, box, { bottom, top, gap }) {
  const width = box.width - LEFT - RIGHT, height = box.height - TOP - BOTTOM;
  return {
    width, height, bottom, top, gap,
    x: (time) => LEFT + (width * (time - view.start)) / (view.end - view.start),
    y: (value) => TOP + height * (1 - (value - bottom) / (top - bottom)),
    time: (x) => view.start + ((x - LEFT) / width) * (view.end - view.start),
  };
}

const tone = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function grid(view, pen, at) {
  pen.font = "11px system-ui, sans-serif";
  pen.strokeStyle = tone("--line");
  pen.fillStyle = tone("--soft");
  pen.lineWidth = 1;
  pen.textAlign = "right";
  pen.textBaseline = "middle";
  for (let value = at.bottom; value <= at.top * 1.0001; value += at.gap) {
    line(pen, LEFT, at.y(value), LEFT + at.width, at.y(value));
    pen.fillText(text(Number(value.toPrecision(6)), view.field), LEFT - 6, at.y(value), LEFT - 8);
  }
  pen.textAlign = "center";
  pen.textBaseline = "top";
  const range = view.end - view.start;
  const count = Math.max(2, Math.floor(at.width / (range > 86400 ? 120 : 90)));
  for (let place = 0; place <= count; place += 1) {
    const time = view.start + (range * place) / count;
    pen.textAlign = place === 0 ? "left" : place === count ? "right" : "center";
    pen.fillText(clock(time, range), at.x(time), TOP + at.height + 6);
  }
}

function line(pen, fromX, fromY, toX, toY) {
  pen.beginPath();
  pen.moveTo(fromX, fromY);
  pen.lineTo(toX, toY);
  pen.stroke();
}

function limits(view, pen, at) {
  if (view.field.custom?.thresholdsStyle?.mode !== "line") return;
  for (const { value, color } of view.field.thresholds.steps) {
    const paintOf = css(color);
    if (value === null || !paintOf || value > at.top) continue;
    pen.save();
    pen.strokeStyle = paintOf.startsWith("var(") ? tone(paintOf.slice(4, -1)) : paintOf;
    pen.setLineDash([6, 4]);
    line(pen, LEFT, at.y(value), LEFT + at.width, at.y(value));
    pen.restore();
  }
}

function stroke(pen, at, { points, colour }, step, floor) {
  pen.strokeStyle = colour;
  pen.lineWidth = 1.5;
  for (const part of unbroken(points, step)) {
    pen.beginPath();
    part.forEach(([time, value], place) => (place ? pen.lineTo(at.x(time), at.y(value)) : pen.moveTo(at.x(time), at.y(value))));
    if (part.length === 1) pen.lineTo(at.x(part[0][0]) + 2, at.y(part[0][1]));
    pen.stroke();
    if (floor === null) continue;
    pen.lineTo(at.x(part.at(-1)[0]), floor);
    pen.lineTo(at.x(part[0][0]), floor);
    pen.globalAlpha = 0.25;
    pen.fillStyle = colour;
    pen.fill();
    pen.globalAlpha = 1;
  }
}

/** Yield the parts of a line between which nothing was measured. */
function* unbroken(points, step) {
  let part = [];
  for (const [time, value] of points) {
    const gone = !Number.isFinite(value);
    if (part.length && (gone || time - part.at(-1)[0] > 1.5 * step)) {
      yield part;
      part = [];
    }
    if (!gone) part.push([time, value]);
  }
  if (part.length) yield part;
}

function rule(pen, at, time) {
  pen.strokeStyle = tone("--soft");
  pen.lineWidth = 1;
  line(pen, at.x(time), TOP, at.x(time), TOP + at.height);
}

function point(view, event) {
  const box = view.canvas.getBoundingClientRect();
  const near = view.at.time(event.clientX - box.left);
  const time = Math.round((near - view.start) / view.step) * view.step + view.start;
  if (time < view.start || time > view.end) return leave(view);
  view.hover = time;
  const rows = shown(view)
    .map((each) => ({ ...each, value: each.points.find(([when]) => Math.abs(when - time) < view.step / 2)?.[1] }))
    .filter(({ value }) => Number.isFinite(value))
    .sort((one, other) => other.value - one.value);
  tell(view, rows, time, event.clientX - box.left);
  paint(view);
  return undefined;
}

function tell(view, rows, time, x) {
  const list = rows.slice(0, HOVERED_LINES).map((row) => {
    const mark = make("span", { class: "mark" });
    mark.style.background = row.colour;
    return make("li", {}, mark, `${row.name}: ${text(row.value, view.field)}`);
  });
  if (rows.length > HOVERED_LINES) list.push(make("li", {}, `and ${rows.length - HOVERED_LINES} lower`));
  const when = new Date(time * 1000).toLocaleString([], { hour12: false });
  view.tip.replaceChildren(make("strong", {}, when), make("ul", {}, ...list));
  view.tip.hidden = false;
  const right = x > LEFT + view.at.width / 2;
  view.tip.style.left = right ? "" : `${x + 12}px`;
  view.tip.style.right = right ? `${view.at.width + LEFT + RIGHT - x + 12}px` : "";
}

function leave(view) {
  view.hover = null;
  view.tip.hidden = true;
  paint(view);
}
