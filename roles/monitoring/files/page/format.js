// Numbers with their units, and colours of thresholds, as Grafana's field settings say.

const NAMED = { green: "good", orange: "warn", red: "bad", blue: "plain", "#808080": "unknown" };
const SI = [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]];
const BINARY = [[2 ** 50, "Pi"], [2 ** 40, "Ti"], [2 ** 30, "Gi"], [2 ** 20, "Mi"], [2 ** 10, "Ki"]];
const TIMES = [[86400, "d"], [3600, "h"], [60, "min"]];
const SMALL = [[1, "s"], [1e-3, "ms"], [1e-6, "µs"], [1e-9, "ns"]];

const UNITS = {
  percent: (value, decimals) => `${digits(value, decimals)} %`,
  celsius: (value, decimals) => `${digits(value, decimals)} °C`,
  bytes: (value, decimals) => scaled(value, BINARY, "B", decimals),
  Bps: (value, decimals) => scaled(value, SI, "B/s", decimals),
  bps: (value, decimals) => scaled(value, SI, "bit/s", decimals),
  hertz: (value, decimals) => scaled(value, SI, "Hz", decimals),
  watt: (value, decimals) => scaled(value, SI, "W", decimals),
  pps: (value, decimals) => `${digits(value, decimals)} packets/s`,
  reqps: (value, decimals) => `${digits(value, decimals)} req/s`,
  ops: (value, decimals) => `${digits(value, decimals)} /s`,
  s: duration,
  short: (value, decimals) => (Math.abs(value) < 1e5 ? digits(value, decimals) : scaled(value, SI, "", decimals)),
};

/** Return a number with its unit; what is no number is said in a word. */
export function text(value, field = {}) {
  const word = mapped(value, field);
  if (word) return word.text;
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "not a number" : value > 0 ? "+∞" : "−∞";
  return (UNITS[field.unit] || UNITS.short)(value, field.decimals ?? undefined);
}

function digits(value, decimals) {
  const size = Math.abs(value);
  const wanted = decimals ?? (Number.isInteger(value) ? 0 : size >= 100 ? 0 : size >= 10 ? 1 : size >= 0.01 ? 2 : 4);
  const shown = value.toFixed(wanted);
  return decimals === undefined && wanted > 0 ? String(Number(shown)) : shown;
}

function scaled(value, scale, unit, decimals) {
  const [factor, prefix] = scale.find(([each]) => Math.abs(value) >= each) || [1, ""];
  return `${digits(value / factor, decimals)} ${prefix}${unit}`.trimEnd();
}

function duration(value, decimals) {
  const size = Math.abs(value);
  if (size === 0) return "0 s";
  const [factor, unit] =
    TIMES.find(([each]) => size >= 2 * each) || SMALL.find(([each]) => size >= each) || SMALL[3];
  const number = value / factor;
  return `${decimals === undefined ? String(Number(number.toPrecision(3))) : number.toFixed(decimals)} ${unit}`;
}

function mapped(value, field) {
  for (const each of field.mappings || []) {
    const found = each.type === "value" && each.options[String(value)];
    if (found) return found;
  }
  return null;
}

/** Return the colour that a value has by its field's thresholds, "" for none. */
export function colour(value, field = {}) {
  const fixed = field.color?.mode === "fixed" ? field.color.fixedColor : mapped(value, field)?.color;
  if (fixed) return css(fixed);
  let chosen = "";
  for (const step of field.thresholds?.steps || []) {
    if (step.value === null || value >= step.value) chosen = step.color;
  }
  return css(chosen);
}

/** Return a colour of the dashboards as this page's own. */
export function css(name) {
  if (!name || name === "transparent") return "";
  return NAMED[name] ? `var(--${NAMED[name]})` : name;
}

/** Return the settings of the field of that name: the defaults with its overrides. */
export function fieldOf(panel, name) {
  const field = { ...panel.fieldConfig.defaults };
  for (const { matcher, properties } of panel.fieldConfig.overrides || []) {
    if (matcher.id !== "byName" || matcher.options !== name) continue;
    for (const { id, value } of properties) field[id] = value;
  }
  return field;
}

/** Return a time of day, with the date where the range is longer than a day. */
export function clock(seconds, range) {
  const date = new Date(seconds * 1000);
  const time = date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false });
  if (range <= 86400) return time;
  return `${date.toLocaleDateString([], { month: "short", day: "numeric" })} ${time}`;
}
