// Asks the server, and puts choices and ranges into expressions.

export const RANGES = { "15m": 900, "1h": 3600, "6h": 21600, "24h": 86400, "7d": 604800 };

// Where this page is. Not document.baseURI: that keeps a user and a password typed into the address,
// and browsers fetch nothing from such addresses.
export const HERE = location.origin + location.pathname;

const STEPS = [15, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400];
// More points than these in one graph would make the answer slow and the lines no clearer.
const POINTS_IN_ALL = 24000;

/** Return the seconds between points: at most 240 points, fewer the more lines there are. */
export function stepOf(seconds, lines) {
  const points = Math.max(30, Math.min(240, Math.floor(POINTS_IN_ALL / Math.max(1, lines))));
  return STEPS.find((step) => seconds / step <= points) || STEPS[STEPS.length - 1];
}

/** Return the expression with the variables' values put in. */
export function expand(expr, choices, step) {
  // Five minutes hold two samples of any sensible scrape interval.
  const window = `${Math.max(300, step)}s`;
  return Object.entries(choices).reduce(
    (text, [name, value]) => text.replaceAll(`$${name}`, value === "" ? ".*" : literal(value)),
    expr.replaceAll("$__rate_interval", window),
  );
}

/** Return a label's value as a regular expression inside a quoted string. */
function literal(value) {
  return value
    .replace(/[.*+?^${}()|[\]\\]/g, "\\$&")
    .replace(/\\/g, "\\\\")
    .replace(/"/g, '\\"')
    .replace(/\n/g, "\\n");
}

/** Return the data of an answer of the server's API, or throw what the server says. */
export async function ask(path, parameters, signal) {
  const address = new URL(`../api/v1/${path}`, HERE);
  for (const [name, value] of Object.entries(parameters)) address.searchParams.set(name, value);
  let answer;
  try {
    answer = await fetch(address, { signal, credentials: "same-origin", cache: "no-store" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The server does not answer.");
  }
  if (answer.status === 401) throw new Error("The server asks for a user and a password; reload the page.");
  const body = await answer.json().catch(() => null);
  if (body === null) throw new Error(`The server answered ${answer.status} and no JSON.`);
  if (body.status !== "success") throw new Error(body.error || `The server answered ${answer.status}.`);
  return body.data;
}

/** Return the series of a query now. */
export async function now(expr, signal) {
  return (await ask("query", { query: expr }, signal)).result || [];
}

/** Return the series of a query over the last seconds, with times that are multiples of the step. */
export async function over(expr, seconds, step, signal) {
  const end = Math.floor(Date.now() / 1000 / step) * step;
  const parameters = { query: expr, start: end - seconds, end, step };
  const data = await ask("query_range", parameters, signal);
  return { start: end - seconds, end, step, series: data.result || [] };
}

/** Return a series' name: the legend with labels put in, or all of its labels. */
export function nameOf(legend, labels) {
  if (legend) return legend.replace(/\{\{\s*(\w+)\s*\}\}/g, (_, name) => labels[name] ?? "");
  const rest = Object.entries(labels).filter(([name]) => name !== "__name__");
  return rest.map(([name, value]) => `${name}=${value}`).join(", ") || labels.__name__ || "value";
}

/** Compare texts so that node-2 comes before node-10. */
export const byName = new Intl.Collator("en", { numeric: true }).compare;
