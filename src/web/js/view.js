// What both pages are made of: elements, words for values, dialogs and messages.
//
// Names, messages and output of programs are inserted as text, never as markup.

import { act, pathOf } from "./api.js";

/** An element. Attributes that are `false`, null or undefined are left out; `on…` are listeners. */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value != null) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child != null));
  return node;
}

/** Sets a text, and leaves the document alone if it is the same. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Sets a property, and leaves the document alone if it has that value: to set an attribute again costs as much as to change it. */
export function setProperty(node, name, value) {
  if (node[name] !== value) node[name] = value;
}

/** A button with an action. */
export const button = (label, act, attributes = {}) =>
  el("button", { type: "button", onclick: act, ...attributes }, label);

// Control characters, and marks that change the direction of text that follows.
const UNSEEN = /[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** A text from outside, with characters that would not be seen replaced by symbols. */
export const visible = (text) =>
  text.replace(UNSEEN, (mark) => (mark < " " ? String.fromCharCode(0x2400 + mark.charCodeAt(0)) : "\ufffd"));

/** Has the stylesheet hide what the client's role does not include: elements with `data-needs`. */
export function showPermissions(permissions) {
  for (const needed of ["operate", "administer", "read_logs"]) document.body.classList.toggle(needed, permissions[needed]);
}

/** Whether a button can be pressed. Those of rows out of sight can. */
export const isUsable = (control) => control.checkVisibility() && !control.matches(":disabled");

/** A name in any script, isolated from the direction of the text around it. */
export const nameOf = (text) => el("bdi", {}, visible(text));

/** The address of the page of a process. */
export const pageOf = (name) => `process.html?processname=${encodeURIComponent(name)}`;

// The difference between the clocks of the supervisor and of this machine.
let skewMs = 0;

/** Sets the clock by an answer of the API. */
export function setClock(nowAt) {
  skewMs = Date.parse(nowAt) - Date.now();
}

/** Seconds since a time of the API; negative for one to come. */
export const secondsSince = (at) => (Date.now() + skewMs - Date.parse(at)) / 1000;

/** A duration, in at most two units: `5 s`, `12 min`, `3 h 5 min`, `2 d 4 h`. */
export function duration(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** A time of the API in local time: `2026-11-29 03:07:29`. */
export function clock(at) {
  const time = new Date(at);
  const two = (number) => String(number).padStart(2, "0");
  const date = [time.getFullYear(), two(time.getMonth() + 1), two(time.getDate())].join("-");
  return `${date} ${[time.getHours(), time.getMinutes(), time.getSeconds()].map(two).join(":")}`;
}

export function bytes(count) {
  if (count < 1024 * 1024) return `${Math.round(count / 1024)} KiB`;
  const mebibytes = count / (1024 * 1024);
  return mebibytes < 1024 ? `${mebibytes.toFixed(mebibytes < 10 ? 1 : 0)} MiB` : `${(mebibytes / 1024).toFixed(1)} GiB`;
}

/** `exit 1` or `SIGKILL`. */
export const ending = (end) => (end ? (end.out_of_memory ? "OOM kill" : end.signal ?? `exit ${end.exit_code}`) : "");

// What a stop sends, as a rule.
const STOP_SIGNALS = ["SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP"];

/** Whether an end looks like a failure. */
export const isBadEnd = (end) => end !== null && !end.expected && !STOP_SIGNALS.includes(end.signal);

/** The order of trouble: what needs a person comes first, and what is fine has the highest rank. */
export const RANK_BACKOFF = 1;
export const RANK_FINE = 9;

export function rankOf({ state, health, last_end }) {
  if (state === "FATAL") return 0;
  if (state === "BACKOFF") return RANK_BACKOFF;
  if (state === "UNKNOWN") return 2;
  if (health?.status === "unhealthy") return 3;
  return state === "EXITED" && last_end && !last_end.expected ? 4 : RANK_FINE;
}

/** The word and the look of a state; the stylesheet gives each look a shape and a color. */
function lookOf(process) {
  const { state, health } = process;
  if (state === "RUNNING" && health?.status === "unhealthy") return "unhealthy";
  if (state === "EXITED") return rankOf(process) === RANK_FINE ? "done" : "failed";
  return state.toLowerCase();
}

/** A mark and the word of a state. */
export function stateMark() {
  const word = el("span");
  const node = el("span", { class: "state" }, el("span", { class: "mark", "aria-hidden": "true" }), word);
  const show = (process) => {
    setProperty(node.dataset, "look", lookOf(process));
    const { state, health } = process;
    // A check without a result yet is not the state STARTING.
    const isChecked = state === "RUNNING" && health && health.status !== "starting";
    setText(word, isChecked ? health.status : state.toLowerCase());
    setProperty(node, "title", process.state);
  };
  return { node, show };
}

/** Shows of the buttons of a process those that make sense in its state. */
export function showActions({ start, restart, stop }, { state }) {
  const isUp = ["RUNNING", "STARTING", "BACKOFF"].includes(state);
  setProperty(start, "hidden", isUp || state === "STOPPING");
  setProperty(restart, "hidden", !isUp);
  setProperty(stop, "hidden", !isUp);
}

/** Where a process is in its life, beyond its state, in one line. */
export function explain(process) {
  const { state, health, next_start_at: next } = process;
  const parts = [];
  if (health?.status === "unhealthy" && health.failure) parts.push(health.failure);
  if (process.pid) parts.push(process.status, `pid ${process.pid}`);
  else if (state !== "STOPPED" && state !== "EXITED") parts.push(process.spawn_error ?? process.description, process.hint);
  else if (process.ended_at) parts.push(`ended ${duration(secondsSince(process.ended_at))} ago`);
  else parts.push("not started");
  if (next) {
    const seconds = Math.ceil(-secondsSince(next));
    parts.push(seconds > 0 ? `next start in ${duration(seconds)}` : "starts now");
  }
  return visible(parts.filter(Boolean).join("; "));
}

/** Asks before something that hurts. True if it is wanted. */
export function confirmed(title, text, label) {
  const dialog = el(
    "dialog",
    { "aria-labelledby": "question", class: "question" },
    el(
      "form",
      { method: "dialog" },
      el("h2", { id: "question" }, title),
      el("p", {}, text),
      el("p", { class: "row-end" }, el("button", { value: "" , autofocus: true }, "Cancel"), el("button", { value: "yes", class: "danger" }, label)),
    ),
  );
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
  });
}

/** Shows the keys of a page: pairs of a key and its effect. */
export function showKeys(keys) {
  const dialog = el(
    "dialog",
    { "aria-labelledby": "keys" },
    el("h2", { id: "keys" }, "Keyboard"),
    el("dl", {}, ...keys.flatMap(([key, effect]) => [el("dt", {}, ...key.split(" ").map((it) => el("kbd", {}, it))), el("dd", {}, effect)])),
    el("form", { method: "dialog", class: "row-end" }, el("button", {}, "Close")),
  );
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

// Messages that are shown at one time, and failures that one names.
const MESSAGES_MAX = 5;

const messages = el("div", { class: "messages" });

/** Shows a message until it is dismissed. */
export function report(text, isError = true) {
  if (!messages.isConnected) document.querySelector("main").append(messages);
  const note = el("div", { class: "message", role: isError ? "alert" : "status", "data-kind": isError ? "error" : null });
  note.append(el("p", {}, visible(text)), button("\u00d7", () => note.remove(), { "aria-label": "Dismiss", class: "quiet" }));
  messages.append(note);
  while (messages.children.length > MESSAGES_MAX) messages.firstChild.remove();
}

// How long the server waits for processes, in seconds, before it answers that an action goes on.
const WAIT_SECS = 5;

/** Performs an action on a process, on `group:*` or on `*`, and reports what failed. */
export async function actOn(name, label, action) {
  const shown = visible(name);
  const isLoss = action === "clear_logs";
  if (isLoss && !(await confirmed(`Clear the logs of ${shown}?`, "What is in its log files is lost.", "Clear"))) return;
  await attempt(`${label} ${shown}`, () => act(`${pathOf(name)}/${action}`, isLoss ? 0 : WAIT_SECS));
}

/** Runs something, and reports the failures that it returns or throws. */
export async function attempt(what, run) {
  try {
    const failures = await run();
    const more = failures.length - MESSAGES_MAX;
    if (failures.length) report(`${what}: ${failures.slice(0, MESSAGES_MAX).join("; ")}${more > 0 ? `; and ${more} more` : ""}`);
  } catch (failure) {
    report(`${what}: ${failure.message}`);
  }
}

/** Whether a key was typed into a field, or in a dialog, or together with others. */
export const isTyping = ({ target, ctrlKey, metaKey, altKey }) =>
  ctrlKey || metaKey || altKey || target.closest("input, select, textarea, dialog") !== null;

/**
 * Replaces what the server has sent by a header and a content. Returns a function that shows whether they are live: if
 * not, there is a notice, and all fields are disabled.
 */
export function takeOver(header, content) {
  const notice = el("p", { class: "notice", role: "status" });
  document.body.classList.add("live");
  document.querySelector("h1").replaceWith(header);
  document.querySelector("#buttons:not(main #buttons)")?.remove();
  document.querySelector("main").replaceChildren(notice, el("fieldset", { class: "content" }, content));
  return (isLive, { failure } = {}) => {
    document.body.classList.toggle("offline", !isLive);
    for (const it of document.querySelectorAll("fieldset")) it.disabled = !isLive;
    const why = failure?.status ? `: ${failure.message}` : "";
    const what = failure?.status === 404 ? "The process is gone" : "Connection to the supervisor lost";
    setText(notice, isLive ? "" : `${what}${why}. Trying again\u2026`);
  };
}
