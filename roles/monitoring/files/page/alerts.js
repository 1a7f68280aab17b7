// What fires now, the worst first, each with the command to type.

import { make, plain } from "./element.js";
import { ask, byName } from "./query.js";

const RANK = { critical: 0, warning: 1, info: 2 };
const SHOWN = 5;

/** Show what fires in the element; an error is said there too. */
export async function showAlerts(place, signal) {
  let alerts;
  try {
    alerts = (await ask("alerts", {}, signal)).alerts.filter(({ state }) => state === "firing");
  } catch (error) {
    if (error.name === "AbortError") return;
    place.replaceChildren(make("p", { class: "message error" }, plain(`Alerts cannot be read. ${error.message}`)));
    return;
  }
  const open = new Set([...place.querySelectorAll("details[open]")].map(({ dataset }) => dataset.key));
  place.replaceChildren(...(alerts.length ? listed(alerts, open) : [make("p", { class: "calm" }, "No alert is firing.")]));
}

function listed(alerts, open) {
  alerts.sort((one, other) => rank(one) - rank(other) || byName(key(one), key(other)));
  const items = alerts.map((alert) => entry(alert, open));
  const first = make("ul", {}, ...items.slice(0, SHOWN));
  if (items.length <= SHOWN) return [first];
  const rest = make("details", { class: "rest", "data-key": "rest", open: open.has("rest") },
    make("summary", {}, `${items.length - SHOWN} more`), make("ul", {}, ...items.slice(SHOWN)));
  return [first, rest];
}

const rank = ({ labels }) => RANK[labels.severity] ?? 3;

const key = ({ labels }) => JSON.stringify(Object.entries(labels).sort());

function entry(alert, open) {
  const { labels, annotations = {} } = alert;
  const known = labels.severity in RANK ? labels.severity : "other";
  const head = make("summary", {},
    make("span", { class: `severity ${known}` }, plain(labels.severity || "alert")), " ",
    make("strong", {}, plain(labels.alertname || "")), " ",
    make("span", { class: "node" }, plain(labels.node || labels.instance || "")), " ",
    make("span", {}, plain(annotations.summary || "")));
  const since = new Date(alert.activeAt);
  const body = [
    annotations.description && make("p", {}, plain(annotations.description)),
    make("p", { class: "soft" }, `Since ${since.toLocaleString([], { hour12: false })}`),
    annotations.command && make("p", {}, "Next: ", make("code", {}, plain(annotations.command))),
  ].filter(Boolean);
  return make("li", {}, make("details", { "data-key": key(alert), open: open.has(key(alert)) }, head, ...body));
}
