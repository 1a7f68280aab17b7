"use strict";
(function () {
  const byId = (id) => document.getElementById(id);

  function make(name, className, text) {
    const made = document.createElement(name);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  }

  // Copy buttons.

  function select(element) {
    const range = document.createRange();
    range.selectNodeContents(element);
    const selection = window.getSelection();
    selection.removeAllRanges();
    selection.addRange(range);
  }

  function copyBySelection(element) {
    select(element);
    try {
      return document.execCommand("copy");
    } catch (error) {
      return false;
    }
  }

  async function copy(element) {
    try {
      await navigator.clipboard.writeText(element.textContent);
      return true;
    } catch (error) {
      return copyBySelection(element);
    }
  }

  for (const fix of document.querySelectorAll(".fix")) {
    const code = fix.querySelector("code");
    const button = make("button", "", "Copy");
    button.type = "button";
    button.setAttribute("aria-label", "Copy the fix: " + code.textContent);
    button.addEventListener("click", async () => {
      const copied = await copy(code);
      button.dataset.copied = copied ? "yes" : "no";
      button.textContent = copied ? "Copied" : "Press Ctrl+C";
      window.setTimeout(() => { button.textContent = "Copy"; }, 2500);
    });
    fix.append(button);
  }

  // Filters of the findings.

  const findings = [...document.querySelectorAll(".finding")].map((element) => ({
    element,
    severity: element.dataset.severity,
    hosts: JSON.parse(element.dataset.hosts),
    text: element.textContent.toLowerCase(),
  }));
  const everybody = new Set(["all hosts", "inventory"]);
  const tools = byId("tools");

  function pressed() {
    const on = tools.querySelectorAll('button[aria-pressed="true"]');
    return new Set([...on].map((button) => button.dataset.severity));
  }

  function filter() {
    const severities = pressed();
    const host = byId("filter-host").value;
    const words = byId("filter-text").value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const finding of findings) {
      const hit = severities.has(finding.severity) &&
        (host === "" || finding.hosts.some((each) => each === host || everybody.has(each))) &&
        words.every((word) => finding.text.includes(word));
      finding.element.hidden = !hit;
      shown += hit ? 1 : 0;
    }
    byId("shown").textContent = shown + " of " + findings.length + " shown";
  }

  if (tools) {
    tools.hidden = false;
    for (const button of tools.querySelectorAll("button")) {
      button.addEventListener("click", () => {
        button.setAttribute("aria-pressed", button.getAttribute("aria-pressed") !== "true");
        filter();
      });
    }
    byId("filter-host").addEventListener("change", filter);
    byId("filter-text").addEventListener("input", filter);
    for (const link of document.querySelectorAll(".counts a")) {
      link.addEventListener("click", () => {
        for (const button of tools.querySelectorAll("button")) {
          button.setAttribute("aria-pressed", button.dataset.severity === link.dataset.severity);
        }
        filter();
      });
    }
    filter();
  }

  // The heat map: rows are sources, columns destinations.

  const mesh = JSON.parse(byId("mesh-data").textContent);
  if (!mesh) return;

  const STATES = { g: "good", p: "partly", c: "closed", u: "unknown", s: "self" };
  const GLYPHS = { g: "·", p: "!", c: "×", u: "?", s: "" };
  const WORDS = {
    g: "every port is open", p: "some ports are closed", c: "nothing gets through", u: "not known",
  };
  const number = new Intl.NumberFormat("en-US");
  const size = Math.max(mesh.sources.length, mesh.destinations.length);
  const places = new Map(mesh.sources.map((name, row) => [name, row]));
  const columns = new Map(mesh.destinations.map((name, column) => [name, column]));
  const cells = [];
  let selected = null;
  let reachableByTab = null;

  function pick(table, row, column) {
    const index = mesh[table + "_of"][row][column];
    return index < 0 ? null : mesh[table][index];
  }

  function cellOf(source, destination) {
    const row = places.get(source);
    const column = columns.get(destination);
    if (row === undefined || column === undefined) return null;
    const state = mesh.states[row][column];
    if (state === "s") return null;
    return {
      source, destination, state,
      rtt: mesh.rtt[row][column],
      ports: pick("ports", row, column),
      mtu: pick("mtus", row, column),
      faults: pick("faults", row, column) || [],
    };
  }

  function label(row, column) {
    const state = mesh.states[row][column];
    const faults = pick("faults", row, column);
    const count = faults ? ", " + faults.length + (faults.length === 1 ? " fault" : " faults") : "";
    return mesh.sources[row] + " to " + mesh.destinations[column] + ": " + WORDS[state] + count;
  }

  // Of many cells only the bad ones have a mark: ten thousand texts take a browser a second.
  function glyph(state, rtt) {
    if (state !== "g") return GLYPHS[state];
    if (size > 12) return "";
    if (rtt === null) return GLYPHS[state];
    return rtt < 10 ? rtt.toFixed(2) : rtt.toFixed(0);
  }

  function drawHead(table) {
    const row = table.createTHead().insertRow();
    row.append(make("td"));
    for (const name of mesh.destinations) {
      const header = make("th");
      header.scope = "col";
      header.title = name;
      header.append(make("span", "", name));
      row.append(header);
    }
  }

  function drawRow(body, row) {
    const line = make("tr");
    const header = make("th", "", mesh.sources[row]);
    header.scope = "row";
    header.title = mesh.sources[row];
    line.append(header);
    cells.push([]);
    for (let column = 0; column < mesh.destinations.length; column += 1) {
      const state = mesh.states[row][column];
      const cell = make("td", STATES[state], glyph(state, mesh.rtt[row][column]));
      cell.setAttribute("role", "gridcell");
      if (state === "s") {
        cell.setAttribute("aria-label", "the node itself");
      } else {
        cell.tabIndex = -1;
        cell.setAttribute("aria-label", label(row, column));
        cell.dataset.row = row;
        cell.dataset.column = column;
      }
      cells[row].push(cell);
      line.append(cell);
    }
    body.append(line);
  }

  function tabTo(cell) {
    if (reachableByTab) reachableByTab.tabIndex = -1;
    reachableByTab = cell;
    cell.tabIndex = 0;
  }

  function move(cell, key) {
    const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    const [down, right] = steps[key];
    let row = Number(cell.dataset.row) + down;
    let column = Number(cell.dataset.column) + right;
    while (cells[row] && cells[row][column]) {
      if (mesh.states[row][column] !== "s") {
        tabTo(cells[row][column]);
        cells[row][column].focus();
        return;
      }
      row += down;
      column += right;
    }
  }

  function drawFaults(faults) {
    const table = make("table", "list");
    const head = table.createTHead().insertRow();
    for (const name of ["Service", "Ports", "What happened"]) {
      const header = make("th", "", name);
      header.scope = "col";
      head.append(header);
    }
    const body = table.createTBody();
    for (const [service, protocol, verdict, ports] of faults) {
      const row = body.insertRow();
      const header = make("th", "", service || "-");
      header.scope = "row";
      row.append(header);
      row.append(make("td", "mono", ports + " " + protocol));
      const words = mesh.verdicts[verdict];
      row.append(make("td", "", words ? verdict + ": " + words : verdict));
    }
    return table;
  }

  function fact(list, name, value) {
    list.append(make("dt", "", name), make("dd", "", value));
  }

  function drawWay(cell) {
    const box = make("div");
    box.append(make("h4", "", cell.source + " → " + cell.destination));
    const state = make("p");
    const swatch = make("span", "swatch " + STATES[cell.state], GLYPHS[cell.state]);
    swatch.setAttribute("aria-hidden", "true");
    state.append(swatch, " " + WORDS[cell.state]);
    box.append(state);
    const list = make("dl", "facts");
    if (cell.ports) {
      fact(list, "Ports", number.format(cell.ports[1]) + " of " + number.format(cell.ports[0]) + " open");
    }
    fact(list, "Round trip", cell.rtt === null ? "not measured" : cell.rtt + " ms");
    if (cell.mtu) {
      const [expected, sent, received] = cell.mtu.map((each) => (each === null ? "not known" : each));
      fact(list, "Interface MTU", expected);
      fact(list, "Largest packet", "there " + sent + ", back " + received);
    }
    box.append(list);
    if (cell.faults.length) box.append(drawFaults(cell.faults));
    return box;
  }

  function open(row, column) {
    const there = cellOf(mesh.sources[row], mesh.destinations[column]);
    const back = cellOf(there.destination, there.source);
    const drill = byId("drill");
    const title = make("h3", "", there.source + " and " + there.destination);
    const both = make("div", "both");
    both.append(drawWay(there));
    if (back) both.append(drawWay(back));
    drill.replaceChildren(title, both);
    if (selected) selected.setAttribute("aria-selected", "false");
    selected = cells[row][column];
    selected.setAttribute("aria-selected", "true");
    tabTo(selected);
  }

  function draw() {
    const kind = size > 40 ? "large" : size > 12 ? "medium" : "";
    const table = make("table", "heat " + kind);
    table.style.setProperty("--n", String(size));
    table.setAttribute("role", "grid");
    table.setAttribute("aria-label", "Port mesh, from source (row) to destination (column)");
    const timed = size <= 12 && mesh.rtt.some((row) => row.some((time) => time !== null));
    const unit = timed ? " Figures are round-trip times in milliseconds." : "";
    const use = "From each row to each column. Choose a cell by mouse, or by arrow keys and Enter.";
    table.append(make("caption", "", use + unit));
    drawHead(table);
    const body = make("tbody");
    mesh.sources.forEach((_name, row) => drawRow(body, row));
    table.append(body);
    byId("heat").replaceChildren(table);
    byId("heat").classList.toggle("large", kind === "large");
    return table;
  }

  function first() {
    for (const state of ["c", "p", "u", "g"]) {
      for (let row = 0; row < mesh.sources.length; row += 1) {
        const column = mesh.states[row].indexOf(state);
        if (column >= 0) return { row, column };
      }
    }
    return null;
  }

  const table = draw();
  table.addEventListener("click", (event) => {
    const cell = event.target.closest("td[data-row]");
    if (cell) open(Number(cell.dataset.row), Number(cell.dataset.column));
  });
  table.addEventListener("keydown", (event) => {
    const cell = event.target.closest("td[data-row]");
    if (!cell) return;
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      open(Number(cell.dataset.row), Number(cell.dataset.column));
    } else if (event.key.startsWith("Arrow")) {
      event.preventDefault();
      move(cell, event.key);
    }
  });
  const start = first();
  if (start) {
    tabTo(cells[start.row][start.column]);
    open(start.row, start.column);
  }
  byId("mesh-plain").hidden = true;
  byId("mesh-live").classList.toggle("beside", size <= 12);
  byId("mesh-live").hidden = false;
})();
