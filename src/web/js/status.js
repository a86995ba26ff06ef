// The status page, alive.
//
// The server has sent a page of links that needs no script. If the API answers, this takes its place: the rows
// follow the event log, and only what has changed is touched.

import { Failure, act as perform, calmly, everyWhile, followEvents, followMemory, get } from "./api.js";
import {
  RANK_BACKOFF, RANK_FINE, actOn, attempt, button, bytes, confirmed, duration, el, ending, explain, isBadEnd, isTyping, isUsable,
  nameOf, pageOf, rankOf, report, secondsSince, setClock, setText, showActions, showKeys, showPermissions, stateMark, takeOver, visible,
} from "./view.js";

const FETCH_EVERY_MS = 100;

// So many single processes are fetched by name; for more of them the whole list is cheaper.
const SINGLE_MAX = 6;

// Rows keep their places while somebody may be about to press on one.
const STILL_MS = 1_000;

const COLUMNS = ["State", "Name", "Details", "Uptime", "Restarts", "Last end", "Memory", "Actions"];

const KEYS = [
  ["/", "filter by text"],
  ["j k \u2193 \u2191", "next and previous process"],
  ["Enter", "open its page"],
  ["s t r", "start, stop or restart it"],
  ["Esc", "show all processes again"],
  ["?", "this help"],
];

const rows = new Map();
const sections = new Map();
const dirty = new Set();
let about = {};
let wanted = readWanted();
let lastTouch = -STILL_MS;

// One process

class Row {
  constructor(name) {
    this.name = name;
    this.memory = null;
    this.mark = stateMark();
    this.cells = Object.fromEntries(["detail", "uptime", "restarts", "end", "memory"].map((key) => [key, cell(key)]));
    const shown = visible(name);
    const act = (label, action, spoken = label) =>
      el("button", { type: "button", "data-action": action, "data-needs": "operate", "aria-label": `${spoken} ${shown}` }, label);
    const start = act("Start", "start");
    const restart = act("Restart", "restart");
    const stop = act("Stop", "stop");
    const clear = act("Clear", "clear_logs", "Clear logs of");
    this.buttons = { start, restart, stop, clear_logs: clear };
    this.title = el("a", { href: pageOf(name) });
    const logs = el("a", { href: `${pageOf(name)}#logs`, "data-needs": "read_logs", "aria-label": `Logs of ${shown}` }, "Logs");
    const { detail, uptime, restarts, end, memory } = this.cells;
    this.node = el(
      "div",
      { class: "row", role: "row", tabindex: "-1" },
      cell("status", this.mark.node),
      cell("name", this.title),
      detail,
      el("div", { class: "facts" }, uptime, restarts, end, memory),
      cell("actions", start, restart, stop, logs, clear),
    );
    this.node.row = this;
  }

  update(process) {
    // A process that alternates between BACKOFF and STARTING keeps its place.
    const isRetry = process.state === "STARTING" && this.rank === RANK_BACKOFF;
    this.rank = isRetry ? RANK_BACKOFF : rankOf(process);
    this.process = process;
    this.text = `${process.full_name} ${process.state} ${process.health?.status ?? ""}`.toLowerCase();
    this.mark.show(process);
    setText(this.cells.restarts, process.counters.restarts ? String(process.counters.restarts) : "");
    const { last_end: end } = process;
    setText(this.cells.end, ending(end));
    this.cells.end.classList.toggle("bad", isBadEnd(end));
    showActions(this.buttons, process);
    this.tick();
  }

  /** Updates what changes with time alone. */
  tick() {
    const { process, cells } = this;
    setText(cells.detail, explain(process));
    const isRunning = process.pid !== null && process.started_at !== null;
    setText(cells.uptime, isRunning ? duration(secondsSince(process.started_at)) : "");
  }

  showMemory(count) {
    this.memory = count;
    setText(this.cells.memory, count === null ? "" : bytes(count));
  }

  /** The name is shown without its group where the group is the heading. */
  showName(isShort) {
    if (this.isShort === isShort) return;
    this.isShort = isShort;
    this.title.replaceChildren(nameOf(isShort ? this.process.name : this.name));
  }

  async act(action) {
    const control = this.buttons[action];
    if (!isUsable(control)) return;
    this.setBusy(true);
    await actOn(this.name, control.textContent, action);
    this.setBusy(false);
    refresh(this.name);
  }

  setBusy(isBusy) {
    this.node.setAttribute("aria-busy", isBusy);
    for (const control of Object.values(this.buttons)) control.disabled = isBusy;
  }
}

const cell = (key, ...children) => el("div", { class: `cell ${key}`, role: "cell" }, ...children);

// Groups and order

/** The heading of a process: trouble first, then groups, and all programs that are their own group in one. */
function headingOf({ rank, process }) {
  if (wanted.sort === "memory" || wanted.sort === "restarts") return "all";
  if (wanted.sort === "trouble" && rank !== RANK_FINE) return "trouble";
  return process.group === process.name ? "programs" : `group ${process.group}`;
}

const HEADINGS = { all: "All processes", trouble: "Needs attention", programs: "Programs" };

function section(key) {
  let found = sections.get(key);
  if (found) return found;
  const group = key.startsWith("group ") ? key.slice(6) : null;
  const count = el("span", { class: "count" });
  const act = (label, action) =>
    button(label, () => actOnGroup(group, label, action), { "data-needs": "operate", "aria-label": `${label} group ${visible(group)}` });
  const actions = group === null ? [] : [act("Start", "start"), act("Restart", "restart"), act("Stop", "stop")];
  const node = el(
    "div",
    { class: "section", role: "rowgroup", "data-heading": key.split(" ")[0] },
    el(
      "div",
      { class: "heading", role: "row" },
      el("div", { class: "title", role: "rowheader" }, group === null ? HEADINGS[key] : nameOf(group), " ", count),
      el("div", { class: "actions", role: "cell" }, ...actions),
    ),
  );
  found = { node, count };
  sections.set(key, found);
  return found;
}

const ORDERS = {
  trouble: (a, b) => a.rank - b.rank,
  name: () => 0,
  memory: (a, b) => (b.memory ?? -1) - (a.memory ?? -1),
  restarts: (a, b) => b.process.counters.restarts - a.process.counters.restarts,
};

const SECTION_ORDER = { all: 0, trouble: 0, group: 1, programs: 2 };

const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);

function isShown({ text, rank, process }) {
  const { state } = wanted;
  const fits = state === "" || (state === "trouble" ? rank !== RANK_FINE : process.state === state);
  return fits && wanted.words.every((word) => text.includes(word));
}

/** Puts the rows that fit the filter under their headings, in order, and moves only those that are elsewhere. */
function arrange() {
  const byKey = new Map();
  for (const row of rows.values()) {
    if (!isShown(row)) continue;
    const key = headingOf(row);
    if (!byKey.has(key)) byKey.set(key, []);
    byKey.get(key).push(row);
  }
  const order = ORDERS[wanted.sort];
  const kind = (key) => SECTION_ORDER[key.split(" ")[0]];
  const keys = [...byKey.keys()].sort((a, b) => kind(a) - kind(b) || compare(a, b));
  const focused = document.activeElement;
  const nodes = keys.map((key) => {
    const { node, count } = section(key);
    const shown = byKey.get(key).sort((a, b) => order(a, b) || compare(a.name, b.name));
    place(node, shown.map((row) => row.node), 1);
    for (const row of shown) row.showName(key.startsWith("group "));
    setText(count, String(shown.length));
    return node;
  });
  place(table, nodes, 1);
  setText(empty, nodes.length ? "" : rows.size ? "No process fits the filter." : "No programs to manage");
  // An element that is moved loses the focus.
  if (focused !== document.activeElement && focused.isConnected) focused.focus({ preventScroll: true });
}

/** Makes these nodes the children of a parent from a position on. */
function place(parent, nodes, from) {
  let at = parent.children[from] ?? null;
  for (const node of nodes) {
    if (node === at) at = at.nextElementSibling;
    else parent.insertBefore(node, at);
  }
  while (at) {
    const next = at.nextElementSibling;
    at.remove();
    at = next;
  }
}

let arranging = 0;

/** Arranges the rows once nobody has touched the page for a moment. */
function arrangeSoon() {
  clearTimeout(arranging);
  const rest = lastTouch + STILL_MS - performance.now();
  if (rest <= 0) arrange();
  else arranging = setTimeout(arrangeSoon, rest);
}

// Summary

const CHIPS = ["", "trouble", "RUNNING", "STARTING", "BACKOFF", "STOPPING", "STOPPED", "EXITED", "FATAL", "UNKNOWN"];
const ALWAYS = ["", "trouble", "RUNNING"];

function summarize() {
  const counts = { "": rows.size, trouble: 0 };
  for (const { rank, process } of rows.values()) {
    counts[process.state] = (counts[process.state] ?? 0) + 1;
    if (rank !== RANK_FINE) counts.trouble += 1;
  }
  for (const [state, { node, count }] of chips) {
    setText(count, String(counts[state] ?? 0));
    node.hidden = !counts[state] && !ALWAYS.includes(state) && wanted.state !== state;
    node.dataset.some = counts[state] > 0;
    node.setAttribute("aria-pressed", wanted.state === state);
  }
  const place = `${about.identifier} @ ${about.host}`;
  document.title = visible(`${place} \u2013 ${counts.RUNNING ?? 0} running, ${counts.trouble} in trouble`);
}

const chips = new Map(
  CHIPS.map((state) => {
    const count = el("b", {}, "0");
    const label = { "": "all", trouble: "in trouble" }[state] ?? state.toLowerCase();
    const node = button("", () => want({ state: wanted.state === state ? "" : state }), { class: "chip", "data-state": state });
    node.append(count, ` ${label}`);
    return [state, { node, count }];
  }),
);

// Filter

/** The filter is part of the address, so that it outlives a reload and can be sent to others. */
function readWanted() {
  const kept = new URLSearchParams(location.hash.slice(1));
  const sort = kept.get("sort");
  return {
    ...textWanted(kept.get("q") ?? ""),
    state: kept.get("state") ?? "",
    sort: ["name", "memory", "restarts"].includes(sort) ? sort : "trouble",
  };
}

function textWanted(text) {
  return { text, words: text.toLowerCase().split(/\s+/).filter(Boolean) };
}

function want(change) {
  wanted = { ...wanted, ...change };
  const kept = new URLSearchParams();
  if (wanted.text) kept.set("q", wanted.text);
  if (wanted.state) kept.set("state", wanted.state);
  if (wanted.sort !== "trouble") kept.set("sort", wanted.sort);
  history.replaceState(null, "", kept.size ? `#${kept}` : location.pathname);
  if (search.value !== wanted.text) search.value = wanted.text;
  summarize();
  arrange();
}

const search = el("input", {
  type: "search", id: "filter", placeholder: "Filter", "aria-label": "Filter by text", "aria-keyshortcuts": "/", autocomplete: "off",
  oninput: () => want(textWanted(search.value)),
});

const sorts = el(
  "select",
  { "aria-label": "Order", onchange: () => want({ sort: sorts.value }) },
  ...Object.entries({ trouble: "Trouble first", name: "By name", memory: "By memory", restarts: "By restarts" }).map(
    ([value, label]) => el("option", { value, selected: value === wanted.sort }, label),
  ),
);

// Page

const table = el(
  "div",
  { class: "list", role: "table", "aria-label": "Processes", onclick: pressed },
  el("div", { class: "columns", role: "rowgroup" }, el("div", { class: "row", role: "row" }, ...COLUMNS.map((name) => el("div", { class: "cell", role: "columnheader" }, name)))),
);
const empty = el("p", { class: "empty" });
const identifier = el("h1");
const subtitle = el("p", { class: "subtitle" });

const menu = el(
  "details",
  { class: "menu", "data-needs": "operate" },
  el("summary", { class: "button" }, "Supervisor"),
  el(
    "fieldset",
    {},
    button("Start all", () => actOnAll("Start", "start")),
    button("Restart all\u2026", () => actOnAll("Restart", "restart")),
    button("Stop all\u2026", () => actOnAll("Stop", "stop")),
    el("hr", { "data-needs": "administer" }),
    button("Restart supervisor\u2026", () => actOnSupervisor("Restart", "restart", "All programs stop, the configuration is read again, and they start again."), { "data-needs": "administer" }),
    button("Shut down\u2026", () => actOnSupervisor("Shut down", "shutdown", "All programs stop, and then the supervisor exits. This page can't start it again."), { "data-needs": "administer" }),
  ),
);

const header = el(
  "header",
  { class: "top" },
  el("div", {}, identifier, subtitle),
  el("div", { class: "tools" }, el("span", { class: "pulse", title: "Rows change by themselves" }), menu, button("?", () => showKeys(KEYS), { "aria-label": "Keyboard help", class: "help" })),
);

const content = el(
  "div",
  {},
  el("div", { class: "bar" }, el("div", { class: "chips", role: "group", "aria-label": "Filter by state" }, ...[...chips.values()].map(({ node }) => node)), el("div", { class: "find" }, search, sorts)),
  table,
  empty,
);

// Actions

function pressed({ target }) {
  const action = target.closest("[data-action]")?.dataset.action;
  if (action) target.closest(".row").row.act(action);
}

const running = (fits) => [...rows.values()].filter((row) => row.process.pid !== null && fits(row)).length;

const processes = (count) => (count === 1 ? "1 process" : `${count} processes`);

async function actOnGroup(group, label, action) {
  const shown = visible(group);
  const count = processes(running(({ process }) => process.group === group));
  const text = { stop: `This stops ${count} of the group.`, restart: `This stops ${count} of the group, then starts them again.` }[action];
  if (!text || (await confirmed(`${label} ${shown}?`, text, label))) await actOn(`${group}:*`, label, action);
}

async function actOnAll(label, action) {
  menu.open = false;
  const count = processes(running(() => true));
  const text = { stop: `This stops ${count} on ${about.host}.`, restart: `This stops ${count} on ${about.host}, then starts all programs.` }[action];
  if (!text || (await confirmed(`${label} all?`, text, `${label} all`))) await actOn("*", label, action);
}

async function actOnSupervisor(label, action, text) {
  menu.open = false;
  const title = `${label} ${about.identifier} on ${about.host}?`;
  if (await confirmed(visible(title), text, label)) await attempt(label, () => perform(`/${action}`));
}

// Keyboard

function move(step) {
  const shown = [...table.querySelectorAll(".section .row")];
  const at = shown.indexOf(document.activeElement.closest(".section .row"));
  const next = shown[at < 0 ? 0 : Math.min(Math.max(at + step, 0), shown.length - 1)];
  next?.focus();
  next?.scrollIntoView({ block: "nearest" });
}

function typed(event) {
  if (event.key === "Escape") {
    menu.open = false;
    if (event.target === search) search.blur();
    if (!event.target.closest("dialog")) want({ ...textWanted(""), state: "" });
    return;
  }
  if (isTyping(event)) return;
  const row = document.activeElement.closest(".section .row")?.row;
  const onRow = row?.node === document.activeElement;
  const keys = {
    "/": () => search.focus(),
    "?": () => showKeys(KEYS),
    j: () => move(1),
    k: () => move(-1),
    ArrowDown: row && (() => move(1)),
    ArrowUp: row && (() => move(-1)),
    Enter: onRow && (() => row.title.click()),
    s: row && (() => row.act("start")),
    t: row && (() => row.act("stop")),
    r: row && (() => row.act("restart")),
  };
  if (keys[event.key]) {
    event.preventDefault();
    keys[event.key]();
  }
}

// Data

function takeProcess(process) {
  const { full_name: name } = process;
  if (!rows.has(name)) rows.set(name, new Row(name));
  rows.get(name).update(process);
}

/** Takes the whole list. Returns the serial up to which it is current. */
async function loadAll() {
  const answer = await get("/processes");
  setClock(answer.now_at);
  const known = new Set(answer.processes.map(({ full_name }) => full_name));
  for (const name of rows.keys()) {
    if (!known.has(name)) rows.delete(name);
  }
  for (const process of answer.processes) takeProcess(process);
  summarize();
  arrangeSoon();
  return answer.newest_event;
}

async function load() {
  const info = await get("");
  if (info.state !== "RUNNING") throw new Failure("the supervisor is shutting down or restarting", 503);
  about = info;
  showPermissions(info.permissions);
  setText(identifier, visible(info.identifier));
  setText(subtitle, visible(`${info.host} \u00b7 sv ${info.version} \u00b7 pid ${info.pid}`));
  return loadAll();
}

/** Fetches a process again, together with others that have changed meanwhile. */
function refresh(name) {
  dirty.add(name);
  fetchSoon();
}

const fetchSoon = calmly(async () => {
  const names = [...dirty];
  dirty.clear();
  try {
    await (names.length > SINGLE_MAX || names.some((name) => !rows.has(name)) ? loadAll() : fetchSome(names));
  } catch (failure) {
    names.forEach((name) => dirty.add(name));
    throw failure;
  }
}, FETCH_EVERY_MS);

async function fetchSome(names) {
  const answers = await Promise.all(names.map((name) => get(`/processes?name=${encodeURIComponent(name)}`)));
  for (const process of answers.flatMap(({ processes: found }) => found)) takeProcess(process);
  summarize();
  arrangeSoon();
}

function showMemory(known) {
  for (const row of rows.values()) row.showMemory(known.get(row.name) ?? null);
  if (wanted.sort === "memory") arrangeSoon();
}

// Start

try {
  const message = document.querySelector(".status_msg");
  const after = await load();
  const setLive = takeOver(header, content);
  // The result of a link that was followed before.
  if (message) {
    report(message.textContent, message.dataset.kind === "error");
    message.remove();
    history.replaceState(null, "", location.pathname + location.hash);
  }
  search.value = wanted.text;
  document.addEventListener("keydown", typed);
  document.addEventListener("click", ({ target }) => menu.contains(target) || (menu.open = false));
  for (const kind of ["pointermove", "pointerdown", "keydown"]) {
    table.addEventListener(kind, () => (lastTouch = performance.now()), { passive: true });
  }
  followEvents({
    after,
    load,
    take: (event) => (event.full_name ? refresh(event.full_name) : event.kind === "supervisor" ? null : refresh("")),
    show: setLive,
  });
  everyWhile(1_000, () => rows.forEach((row) => row.tick()));
  followMemory(showMemory);
} catch {
  // Without the API the page stays as the server has sent it.
}
