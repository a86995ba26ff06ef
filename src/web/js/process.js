// The page of one process: why it is as it is, its logs live, its dependencies and its history.

import { calmly, followEvents, followMemory, get, pathOf } from "./api.js";
import { LogView, Search } from "./log.js";
import { around, draw } from "./graph.js";
import {
  actOn, button, bytes, clock, duration, el, ending, explain, isTyping, isUsable, nameOf, secondsSince, setClock, setText,
  showActions, showKeys, showPermissions, stateMark, takeOver, visible,
} from "./view.js";

const REFRESH_EVERY_MS = 250;

// What is shown of a log as it was before.
const LOG_BYTES = 65_536;

const KEYS = [
  ["/", "search in the logs"],
  ["n N", "next and previous hit"],
  ["p", "pause the logs, or go on"],
  ["w", "wrap long lines, or not"],
  ["s t r", "start, stop or restart"],
  ["Esc", "back to all processes"],
  ["?", "this help"],
];

const name = new URLSearchParams(location.search).get("processname");
const mark = stateMark();
const subtitle = el("p", { class: "subtitle" });
const why = el("ul", { class: "why" });
const graphPlace = el("div", { class: "scroll" });
const facts = el("dl");
const historyRows = el("tbody");
const logs = [new LogView("stdout", "Standard output"), new LogView("stderr", "Standard error")];

let about = {};
let current = null;
let neighbours = new Map();
let isPolled = false;
let memory = null;

// Why

/** Sentences that explain the state, most important first. */
function reasons({ process, history }) {
  const { state, health, last_end: end, counters } = process;
  const last = history.at(-1);
  const since = process.since_at ? ` since ${clock(process.since_at)} (${duration(secondsSince(process.since_at))})` : "";
  const list = [`${state}${since}${last ? `: ${last.reason}` : ""}`];
  const detail = explain(process);
  if (detail && !(last && detail === last.reason)) list.push(detail);
  if (health && !detail.includes(health.failure)) list.push(`Health: ${health.status}${health.failure ? `; ${health.failure}` : ""}`);
  if (process.check_output && !["RUNNING", "STOPPED"].includes(state)) list.push(`Its check has printed: ${process.check_output}`);
  if (end) list.push(`Last end: ${ending(end)}${meaning(end, process)}, ${end.expected ? "expected" : "not expected"}${process.ended_at ? `, ${clock(process.ended_at)}` : ""}`);
  if (process.needed_by.length) list.push(`Needed by ${process.needed_by.join(", ")}`);
  if (process.pid && memory !== null) list.push(`Memory: ${bytes(memory)}`);
  const counted = {
    Starts: counters.starts, "automatic ones": counters.restarts, "failed ones": counters.failed_starts,
    "unexpected exits": counters.exits_unexpected, "ends by a signal": counters.exits_by_signal, "out of memory": counters.exits_by_oom,
  };
  list.push(Object.entries(counted).filter(([word, count]) => count || word === "Starts").map(([word, count]) => `${word}: ${count}`).join(", "));
  return list.filter(Boolean).map(visible);
}

/** What shells mean by some exit statuses. That of a child that could not become its program means only this. */
function meaning({ exit_code: code }, { spawn_error: error }) {
  if (error?.startsWith("cannot ")) return "";
  const known = { 126: "the command can't be executed", 127: "command not found" };
  const words = known[code] ?? (code > 128 && code <= 192 ? `a command was terminated by signal ${code - 128}` : null);
  return words ? ` (${words})` : "";
}

function fact(label, value) {
  if (value === null || value === undefined || value === "" || (Array.isArray(value) && !value.length)) return [];
  const text = Array.isArray(value) ? value.map(entry).join(", ") : value === true ? "yes" : value === false ? "no" : String(value);
  return [el("dt", {}, label), el("dd", {}, nameOf(text))];
}

/** A check, or a dependency with what is said of it. */
function entry(value) {
  if (!value.on) return String(value);
  const words = [value.condition, value.optional && "optional"].filter(Boolean).join(", ");
  return words ? `${value.on} (${words})` : value.on;
}

function showFacts({ process, config }) {
  const at = config.defined_at;
  facts.replaceChildren(
    ...fact("Command", config.command),
    ...fact("Directory", config.directory),
    ...fact("User", config.user),
    ...fact("Type", config.type),
    ...fact("Schedule", config.schedule),
    ...fact("Autostart", config.autostart),
    ...fact("Autorestart", config.autorestart),
    ...fact("Ready", config.ready),
    ...fact("Health check", config.health),
    ...fact("Depends on", config.depends_on),
    ...fact("Restarts with", config.restart_with),
    ...fact("Stop", `${config.stopsignal}, killed after ${config.stopwaitsecs} s`),
    ...fact("Output log", process.logs.stdout),
    ...fact("Error log", process.logs.stderr),
    ...fact("Defined at", at && `${at.file}:${at.line}`),
  );
}

function showHistory({ history }) {
  const row = ({ at, from, to, pid, end, reason }) =>
    el(
      "tr",
      {},
      el("td", {}, el("time", { datetime: at }, clock(at))),
      el("td", {}, `${from} \u2192 ${to}`),
      el("td", {}, pid ? `pid ${pid}` : "", end ? ` ${ending(end)}` : ""),
      el("td", {}, nameOf(reason)),
    );
  historyRows.replaceChildren(...history.toReversed().map(row));
}

// Page

const controls = Object.fromEntries(
  Object.entries({ start: "Start", restart: "Restart", stop: "Stop", clear_logs: "Clear logs" }).map(([action, label]) => [
    action,
    button(label, () => act(action), { "data-needs": "operate" }),
  ]),
);

const back = el("a", { href: "index.html" }, "All processes");

const header = el(
  "header",
  { class: "top" },
  el("div", {}, el("nav", { class: "subtitle", "aria-label": "Back" }, back), el("h1", {}, nameOf(name), " ", mark.node), subtitle),
  el("div", { class: "tools" }, el("span", { class: "pulse" }), el("fieldset", { class: "tools" }, ...Object.values(controls)), button("?", () => showKeys(KEYS), { "aria-label": "Keyboard help", class: "help" })),
);

const hitCount = el("span", { class: "count", role: "status" });
const search = new Search(logs, (at, all, hasMore) => setText(hitCount, box.value ? `${at} of ${all}${hasMore ? "+" : ""}` : ""));
const box = el("input", {
  type: "search", placeholder: "Search", "aria-label": "Search in the logs", "aria-keyshortcuts": "/", autocomplete: "off",
  oninput: () => search.look(box.value),
  onkeydown: (event) => event.key === "Enter" && search.step(event.shiftKey ? -1 : 1),
});
const toggle = (label, change) => {
  const node = button(label, () => {
    const isOn = node.getAttribute("aria-pressed") !== "true";
    node.setAttribute("aria-pressed", isOn);
    change(isOn);
  }, { "aria-pressed": "false" });
  return node;
};
const pause = toggle("Pause", (isOn) => logs.forEach((log) => log.pause(isOn)));
const wrap = toggle("Wrap", (isOn) => {
  logBox.classList.toggle("wrap", isOn);
  for (const log of logs) log.stay();
});
const noLogs = el("p", { class: "empty" });
const logBox = el("div", { class: "logs" }, ...logs.map(({ node }) => node));

const card = (title, ...children) => el("section", { class: "card" }, el("h2", {}, title), ...children);

const dependencies = card("Dependencies", graphPlace);
const content = el(
  "div",
  { class: "cards" },
  card("Why", why),
  dependencies,
  el(
    "section",
    { class: "card wide", id: "logs", "data-needs": "read_logs" },
    el("div", { class: "bar" }, el("h2", {}, "Logs"), el("div", { class: "find" }, box, hitCount, button("\u2191", () => search.step(-1), { "aria-label": "Previous hit" }), button("\u2193", () => search.step(1), { "aria-label": "Next hit" }), pause, wrap)),
    noLogs,
    logBox,
  ),
  card("Configuration", facts),
  card(
    "History",
    el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "History" },
      el("table", { class: "history" }, el("thead", {}, el("tr", {}, ...["Time", "Change", "Process", "Reason"].map((it) => el("th", { scope: "col" }, it)))), historyRows)),
  ),
);

// Actions

async function act(action) {
  const control = controls[action];
  if (!isUsable(control)) return;
  control.disabled = true;
  await actOn(name, control.textContent, action);
  control.disabled = false;
}

function typed(event) {
  if (event.key === "Escape" && !event.target.closest("dialog")) {
    if (event.target !== box) back.click();
    box.blur();
    return;
  }
  if (isTyping(event)) return;
  const keys = {
    "/": () => box.focus(), "?": () => showKeys(KEYS), n: () => search.step(1), N: () => search.step(-1),
    p: () => pause.click(), w: () => wrap.click(), s: () => act("start"), t: () => act("stop"), r: () => act("restart"),
  };
  if (keys[event.key]) {
    event.preventDefault();
    keys[event.key]();
  }
}

// Data

/** Shows the logs that the process has: one whose error output goes to its standard output has only one. */
function showLogs(has) {
  for (const log of logs) log.node.hidden = !has[log.channel];
  setText(noLogs, logs.some(({ channel }) => has[channel]) ? "" : "Its output is not kept in a log.");
}

async function loadProcess() {
  current = await get(pathOf(name));
  setClock(current.now_at);
  const { process } = current;
  mark.show(process);
  showActions(controls, process);
  document.title = visible(`${name} \u2013 ${process.state} \u2013 ${about.identifier} @ ${about.host}`);
  showHistory(current);
  showFacts(current);
  tick();
  return current.newest_event;
}

function tick() {
  if (!current) return;
  const list = reasons(current);
  if (why.childElementCount !== list.length) why.replaceChildren(...list.map(() => el("li")));
  for (const [at, text] of list.entries()) setText(why.children[at], text);
}

async function loadGraph() {
  const graph = await get("/graph").catch(() => ({ nodes: [], edges: [] }));
  const picture = draw(graph, name);
  neighbours = around(graph, name);
  dependencies.hidden = picture === null;
  graphPlace.replaceChildren(...(picture ? [picture] : []));
  centerGraph();
}

/** Scrolls a graph that is wider than the screen to the process itself. */
function centerGraph() {
  const own = graphPlace.querySelector(".current rect");
  if (own) graphPlace.scrollLeft = own.x.baseVal.value - graphPlace.clientWidth / 2 + own.width.baseVal.value / 2;
}

async function load() {
  about = await get("");
  showPermissions(about.permissions);
  if (isPolled && about.permissions.read_logs) showLogs(Object.fromEntries(await Promise.all(logs.map(async (log) => [log.channel, await log.read(pathOf(name), LOG_BYTES)]))));
  setText(subtitle, visible(`${about.identifier} @ ${about.host}`));
  loadGraph();
  return loadProcess();
}

/** Fetches what has changed, once for all events that come meanwhile. */
const refresh = calmly(() => Promise.all([loadProcess(), neighbours.size > 1 && loadGraph()]), REFRESH_EVERY_MS);

try {
  const after = await load();
  const setLive = takeOver(header, content);
  // What is not in the document yet can't be scrolled.
  centerGraph();
  document.addEventListener("keydown", typed);
  followEvents({
    after,
    load,
    take: (event) => (!event.full_name || neighbours.has(event.full_name)) && refresh(),
    show: (isLive, how = {}) => {
      const wasPolled = isPolled;
      isPolled = Boolean(how.isPolled);
      setLive(isLive, how);
      for (const log of logs) log.setLive(isLive, isPolled);
      // Now, and not only at the next attempt.
      if (isPolled && !wasPolled) load().catch(() => {});
    },
    ...(about.permissions.read_logs && {
      pathAfter: (serial) => `${pathOf(name)}/follow?bytes=${LOG_BYTES}&after=${serial}${logs.map(({ position }) => position).join("")}`,
      listen: (source) => {
        source.addEventListener("logs", ({ data }) => showLogs(JSON.parse(data)));
        for (const log of logs) log.listen(source);
      },
    }),
  });
  setInterval(tick, 1_000);
  followMemory(
    (known) => {
      [memory = null] = known.values();
      tick();
    },
    `?name=${encodeURIComponent(name)}`,
  );
  if (location.hash === "#logs") document.getElementById("logs").scrollIntoView();
} catch {
  // Without the API the page stays as the server has sent it.
}
