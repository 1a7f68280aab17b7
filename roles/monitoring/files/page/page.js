// The page: tabs, choices, and a grid of panels that are asked and drawn again and again.

import { showAlerts } from "./alerts.js";
import { bars, stat, table } from "./draw.js";
import { make, plain } from "./element.js";
import { graph } from "./graph.js";
import { HERE, RANGES, ask, byName, expand, now, over, stepOf } from "./query.js";

const NAMES = ["cluster", "node", "gpu", "ray", "k3s"];
const DRAW = { stat, bargauge: bars, table, timeseries: graph };
// What must be there for a dashboard to have anything to show.
const PROBES = {
  node: ['up{job="node"}', "no node exporter is scraped yet"],
  gpu: ["DCGM_FI_DEV_GPU_TEMP or gpu_cluster_gpu_state", "no node reports a GPU"],
  ray: ['up{job="ray"}', "no Ray node is scraped: this cluster has no Ray"],
  k3s: ['up{job=~"kubelet|k3s-api"}', "no k3s node is scraped: this cluster has no k3s"],
};
const AT_A_TIME = 6;

const find = (id) => document.getElementById(id);
const dashboards = new Map();
const state = { tab: "cluster", node: "", gpu: "", range: "1h", refresh: "30", theme: "" };
const controls = ["node", "gpu", "range", "refresh"];
let running = null;
let timer = 0;
let lines = 1;

function fromAddress() {
  const said = new URLSearchParams(location.hash.slice(1));
  for (const name of Object.keys(state)) if (said.has(name)) state[name] = said.get(name);
  if (!dashboards.has(state.tab)) state.tab = dashboards.keys().next().value;
  if (!(state.range in RANGES)) state.range = "1h";
  if (![...find("refresh").options].some(({ value }) => value === state.refresh)) state.refresh = "30";
}

function addressWith(changes) {
  const kept = Object.entries({ ...state, ...changes }).filter(([, value]) => value !== "");
  return `#${new URLSearchParams(kept)}`;
}

const go = (changes) => { location.hash = addressWith(changes); };

function theme() {
  const dark = state.theme ? state.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  find("theme").setAttribute("aria-pressed", String(dark));
}

function showTabs() {
  find("tabs").replaceChildren(...[...dashboards].map(([name, { title }]) => make("button", {
    type: "button",
    role: "tab",
    id: `tab-${name}`,
    "aria-selected": String(name === state.tab),
    "aria-controls": "panels",
    tabindex: name === state.tab ? 0 : -1,
    onclick: () => go({ tab: name }),
  }, title)));
  find("panels").setAttribute("aria-labelledby", `tab-${state.tab}`);
}

function nextTab(event) {
  const move = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!move) return;
  const names = [...dashboards.keys()];
  const name = names[(names.indexOf(state.tab) + move + names.length) % names.length];
  go({ tab: name });
  addEventListener("hashchange", () => find(`tab-${name}`)?.focus(), { once: true });
}

function fill(select, values, chosen) {
  const known = chosen === "" || values.includes(chosen) ? values : [...values, chosen];
  select.replaceChildren(make("option", { value: "" }, "All"), ...known.map((value) => make("option", { value }, plain(value))));
  select.value = chosen;
}

async function showChoices(signal) {
  const [up, gpus] = await Promise.all([
    now('count by (node, cluster) (up{job="node"})', signal),
    now(`count by (gpu) (DCGM_FI_DEV_GPU_TEMP{node=~"${expand("$node", state, 0)}"})`, signal),
  ]);
  const values = (series, label) => [...new Set(series.map(({ metric }) => metric[label]).filter(Boolean))].sort(byName);
  fill(find("node"), values(up, "node"), state.node);
  fill(find("gpu"), values(gpus, "gpu"), state.gpu);
  const nodes = state.node ? 1 : Math.max(1, values(up, "node").length);
  lines = uses("gpu") && !state.gpu ? nodes * Math.max(1, gpus.length) : nodes;
  const [cluster] = values(up, "cluster");
  find("title").textContent = cluster ? plain(cluster) : "Cluster monitoring";
  document.title = `${cluster ? plain(cluster) : "Cluster"}: ${dashboards.get(state.tab).title}`;
}

const uses = (variable) => dashboards.get(state.tab).templating.list.some(({ name }) => name === variable);

function layOut() {
  find("panels").replaceChildren(...dashboards.get(state.tab).panels.map((panel) => frame(panel)));
}

function frame(panel) {
  if (panel.type === "row") return placed(make("h2", { class: "row" }, panel.title), panel);
  const title = `panel-${panel.id}`;
  const body = make("div", { class: "body", tabindex: 0, role: "group", "aria-labelledby": title }, make("p", { class: "message" }, "Asking…"));
  return placed(make("section", { class: `panel ${panel.type}`, "aria-labelledby": title, "data-id": panel.id },
    make("h3", { id: title, title: panel.description }, panel.title), body), panel);
}

function placed(element, { gridPos: { x, y, w, h } }) {
  element.style.setProperty("--column", `${x + 1} / span ${w}`);
  element.style.setProperty("--lines", `${y + 1} / span ${h}`);
  element.style.setProperty("--height", h);
  return element;
}

async function draw(panel, signal) {
  const body = document.querySelector(`[data-id="${panel.id}"] .body`);
  const seconds = RANGES[state.range];
  const step = stepOf(seconds, lines);
  try {
    if (!DRAW[panel.type]) throw new Error(`This page cannot draw a panel of type ${panel.type}.`);
    const answers = await Promise.all(panel.targets.map(({ expr, range }) => {
      const asked = expand(expr, { node: state.node, gpu: state.gpu }, range ? step : 0);
      return range ? over(asked, seconds, step, signal) : now(asked, signal);
    }));
    if (signal.aborted) return;
    const kept = body.scrollTop;
    body.replaceChildren(DRAW[panel.type](panel, answers, (changes) => addressWith({ tab: "gpu", ...changes }))
      || make("p", { class: "message none" }, "No data"));
    body.scrollTop = kept;
  } catch (error) {
    if (error.name !== "AbortError") body.replaceChildren(make("p", { class: "message error", role: "alert" }, plain(error.message)));
  }
}

async function missing(signal) {
  const tag = dashboards.get(state.tab).tags.find((each) => each.startsWith("needs-"));
  const [probe, sentence] = PROBES[tag?.slice("needs-".length)] || [];
  return probe && !(await now(`count(${probe})`, signal)).length ? sentence : "";
}

async function drawAll(signal) {
  const waiting = dashboards.get(state.tab).panels.filter(({ type }) => type !== "row");
  const worker = async () => {
    while (waiting.length && !signal.aborted) await draw(waiting.shift(), signal);
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, worker));
}

async function refresh() {
  running?.abort();
  clearTimeout(timer);
  running = new AbortController();
  find("panels").setAttribute("aria-busy", "true");
  const { signal } = running;
  try {
    const alerts = showAlerts(find("alerts-list"), signal);
    await showChoices(signal);
    const sentence = await missing(signal);
    await Promise.all([alerts, drawAll(signal)]);
    if (signal.aborted) return;
    const time = new Date().toLocaleTimeString([], { hour12: false });
    say(sentence ? `Nothing to show here: ${sentence}.` : `As of ${time}`, Boolean(sentence));
  } catch (error) {
    if (error.name === "AbortError") return;
    say(plain(error.message), true);
    await drawAll(signal);
  }
  if (signal.aborted) return;
  find("panels").setAttribute("aria-busy", "false");
  if (state.refresh !== "0") timer = setTimeout(refresh, Number(state.refresh) * 1000);
}

function say(sentence, bad) {
  find("status").textContent = sentence;
  find("status").className = bad ? "error" : "";
}

function show() {
  fromAddress();
  theme();
  showTabs();
  controls.filter((name) => name !== "node" && name !== "gpu").forEach((name) => { find(name).value = state[name]; });
  find("gpu-label").hidden = !uses("gpu");
  layOut();
  refresh();
}

async function load() {
  const read = await Promise.all(NAMES.map(async (name) => {
    const answer = await fetch(new URL(`dashboards/${name}.json`, HERE), { credentials: "same-origin" });
    if (!answer.ok) throw new Error(`dashboards/${name}.json cannot be read: the server answered ${answer.status}.`);
    return [name, await answer.json()];
  }));
  read.forEach(([name, dashboard]) => dashboards.set(name, dashboard));
}

async function start() {
  try {
    await load();
  } catch (error) {
    say(plain(error.message), true);
    return;
  }
  controls.forEach((name) => find(name).addEventListener("change", (event) => go(
    name === "node" ? { node: event.target.value, gpu: "" } : { [name]: event.target.value },
  )));
  find("tabs").addEventListener("keydown", nextTab);
  find("reload").addEventListener("click", refresh);
  find("theme").addEventListener("click", () => go({ theme: document.documentElement.dataset.theme === "dark" ? "light" : "dark" }));
  addEventListener("hashchange", show);
  show();
}

start();
