// A log that is followed live, with a bounded number of lines, and search over several of them.

import { get, pathOf, stream, whileVisible } from "./api.js";
import { el, setText, visible } from "./view.js";

const LINES_MAX = 5_000;
const LINE_CHARS_MAX = 4_000;
const HITS_MAX = 2_000;

// What is shown of the log as it was before.
const BEGIN_BYTES = 65_536;

// Lines that come while the log is paused, as text.
const HELD_CHARS_MAX = 1_048_576;

const ENDED_RETRY_MS = 3_000;

// Colors and cursor movements of terminals.
const ESCAPES = /\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])/g;

/** One stream of a process. */
export class LogView {
  constructor(process, channel, label) {
    this.process = process;
    this.channel = channel;
    this.isPaused = false;
    this.incoming = "";
    this.last = null;
    this.status = el("span", { class: "count" }, "connecting");
    this.lines = el("div", { class: "lines", tabindex: "0", role: "region", "aria-label": label });
    this.node = el("section", { class: "log" }, el("h3", {}, label, " ", this.status), this.lines);
    this.onchange = () => {};
  }

  /** Begins to follow. False if the process has no such log. */
  async open() {
    const path = `${pathOf(this.process)}/logs/${this.channel}`;
    try {
      await get(`${path}?bytes=1`);
    } catch (failure) {
      setText(this.status, failure.message);
      return false;
    }
    let source = null;
    let timer = 0;
    let offset = "";
    const stop = () => {
      clearTimeout(timer);
      source?.close();
    };
    const retry = (status) => {
      stop();
      setText(this.status, status);
      timer = setTimeout(start, ENDED_RETRY_MS);
    };
    const start = () => {
      stop();
      const from = offset === "" ? `bytes=${BEGIN_BYTES}` : `offset=${offset}`;
      source = stream(`${path}?follow=true&${from}`);
      source.onopen = () => this.showStatus();
      source.onmessage = ({ data, lastEventId }) => {
        offset = lastEventId;
        this.take(JSON.parse(data).text);
      };
      source.addEventListener("gap", ({ data }) => this.take(gapLine(JSON.parse(data).missed_bytes)));
      source.addEventListener("end", () => {
        // The next stream begins with the end of the log, which is shown already.
        offset = "";
        this.clear();
        retry("ended");
      });
      source.onerror = () => retry("connection lost");
    };
    whileVisible(start, stop);
    return true;
  }

  clear() {
    this.incoming = "";
    this.last = null;
    this.lines.replaceChildren();
    this.onchange();
  }

  pause(isPaused) {
    this.isPaused = isPaused;
    this.showStatus();
    if (!isPaused) this.flushSoon();
  }

  showStatus() {
    const waiting = this.isPaused ? this.incoming.split("\n").length - 1 : 0;
    setText(this.status, this.isPaused ? `paused, ${waiting} new` : "live");
  }

  take(text) {
    this.incoming = (this.incoming + text).slice(-HELD_CHARS_MAX);
    if (this.isPaused) this.showStatus();
    else this.flushSoon();
  }

  flushSoon() {
    if (this.isDue) return;
    this.isDue = true;
    requestAnimationFrame(() => {
      this.isDue = false;
      if (!this.isPaused) this.flush();
    });
  }

  /** Adds what has come: the rest of the last line, and whole lines. */
  flush() {
    const { lines } = this;
    const followsEnd = lines.scrollHeight - lines.scrollTop - lines.clientHeight < 40;
    const pieces = this.incoming.split("\n");
    this.incoming = "";
    const fragment = document.createDocumentFragment();
    const first = Math.max(0, pieces.length - LINES_MAX);
    for (const [at, piece] of pieces.slice(first).entries()) {
      if (at > 0 || first > 0) this.last = null;
      if (piece === "") continue;
      if (!this.last) {
        this.last = { text: "", dropped: 0, node: el("div") };
        fragment.append(this.last.node);
      }
      extend(this.last, piece);
    }
    lines.append(fragment);
    while (lines.childElementCount > LINES_MAX) lines.firstChild.remove();
    if (followsEnd) lines.scrollTop = lines.scrollHeight;
    this.onchange();
  }
}

/** A line in place of output that is not kept any more, or of a log that begins again. */
const gapLine = (bytes) => (bytes === null ? "\n\u2026 the log begins again\n" : `\n\u2026 ${bytes} bytes are missing\n`);

/** Adds text to a line, which does not become longer than can be shown quickly. */
function extend(line, piece) {
  const room = LINE_CHARS_MAX - line.text.length;
  line.text += piece.slice(0, room);
  line.dropped += Math.max(0, piece.length - room);
  // A carriage return begins the line again, as progress bars do.
  const plain = line.text.replace(ESCAPES, "").replace(/\r+$/, "");
  const shown = visible(plain.slice(plain.lastIndexOf("\r") + 1));
  setText(line.node, line.dropped ? `${shown} \u2026 ${line.dropped} more characters` : shown);
}

/** Search in the lines of logs. `show` gets the number of the current hit, from 1, and of all. */
export class Search {
  constructor(views, show) {
    this.views = views;
    this.show = show;
    this.query = "";
    this.hits = [];
    this.at = 0;
    for (const view of views) view.onchange = () => this.query && this.findSoon();
  }

  look(query) {
    this.query = query.toLowerCase();
    this.find();
    this.at = this.hits.length - 1;
    this.mark(true);
  }

  findSoon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      const current = this.hits[this.at]?.startContainer;
      this.find();
      const again = this.hits.findIndex((hit) => hit.startContainer === current);
      this.at = again < 0 ? this.hits.length - 1 : again;
      this.mark(false);
    }, 200);
  }

  find() {
    const { query } = this;
    this.hits = [];
    if (!query) return;
    for (const line of this.views.flatMap(({ lines }) => [...lines.children])) {
      const text = line.firstChild?.data.toLowerCase() ?? "";
      for (let from = text.indexOf(query); from >= 0; from = text.indexOf(query, from + query.length)) {
        const to = Math.min(from + query.length, line.firstChild.length);
        this.hits.push(new StaticRange({ startContainer: line.firstChild, startOffset: from, endContainer: line.firstChild, endOffset: to }));
      }
    }
    // The newest ones count.
    this.hits = this.hits.slice(-HITS_MAX);
  }

  step(by) {
    const { length } = this.hits;
    if (!length) return;
    this.at = (this.at + by + length) % length;
    this.mark(true);
  }

  mark(isScrolling) {
    const hit = this.hits[this.at];
    this.show(hit ? this.at + 1 : 0, this.hits.length);
    document.querySelector(".lines .current")?.classList.remove("current");
    const line = hit?.startContainer.parentElement;
    line?.classList.add("current");
    if (isScrolling) line?.scrollIntoView({ block: "nearest" });
    // Highlights leave the lines as they are. Browsers without them still have the current line.
    if (globalThis.Highlight) CSS.highlights.set("hits", new Highlight(...this.hits));
  }
}
