// A log that is followed live, with a bounded number of lines, and search over several of them.

import { calmly, get } from "./api.js";
import { el, setText, visible } from "./view.js";

const LINES_MAX = 5_000;
const LINE_CHARS_MAX = 4_000;

// Hits in one log, the newest ones. How long a search takes until it lets the page do something else, and how often what has
// come is searched.
const HITS_MAX = 500;
const SLICE_MS = 8;
const SEARCH_EVERY_MS = 200;

// Lines that come while the log is paused, as text.
const HELD_CHARS_MAX = 1_048_576;

// Colors and cursor movements of terminals.
const ESCAPES = /\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])/g;

/** One stream of a process. */
export class LogView {
  constructor(channel, label) {
    this.channel = channel;
    // Where it goes on in the log.
    this.offset = null;
    this.isLive = false;
    this.isPolled = false;
    this.isPaused = false;
    this.incoming = "";
    // Lines in it.
    this.waiting = 0;
    this.last = null;
    this.status = el("span", { class: "count" }, "connecting");
    this.lines = el("div", { class: "lines", tabindex: "0", role: "region", "aria-label": label });
    this.node = el("section", { class: "log" }, el("h3", {}, label, " ", this.status), this.lines);
    // Whether it stays at its end, when lines are added and when its size changes: until somebody scrolls.
    this.isAtEnd = true;
    this.lines.addEventListener("scroll", () => {
      const { scrollHeight, scrollTop, clientHeight } = this.lines;
      this.isAtEnd = scrollHeight - scrollTop - clientHeight < 40;
    });
    new ResizeObserver(() => this.stay()).observe(this.lines);
    this.onchange = () => {};
  }

  stay() {
    if (this.isAtEnd) this.lines.scrollTop = this.lines.scrollHeight;
  }

  /** The parameter of the stream from which it continues; none at first. */
  get position() {
    return this.offset === null ? "" : `&${this.channel}=${this.offset}`;
  }

  /** Takes what a stream has of it. The stream that follows one that has ended begins with what is shown already. */
  listen(source) {
    source.addEventListener(this.channel, ({ data }) => {
      const { offset, text, missed_bytes: missed } = JSON.parse(data);
      this.offset = offset;
      this.take(text ?? gapLine(missed));
    });
    source.addEventListener("end", () => this.clear());
  }

  clear() {
    this.offset = null;
    this.incoming = "";
    this.waiting = 0;
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
    const how = !this.isLive ? "not connected" : this.isPolled ? "not live: read every few seconds" : "live";
    setText(this.status, this.isPaused ? `paused, ${this.waiting} new` : how);
  }

  setLive(isLive, isPolled) {
    this.isLive = isLive;
    this.isPolled = isPolled;
    this.showStatus();
  }

  /** Reads what has come, where streams are refused. False if there is no such log; what fails otherwise is tried again. */
  async read(path, bytesFirst) {
    const from = this.offset === null ? `bytes=${bytesFirst}` : `offset=${this.offset}`;
    try {
      const { text, offset } = await get(`${path}/logs/${this.channel}?${from}`);
      if (offset < this.offset) this.clear();
      this.offset = offset;
      if (text) this.take(text);
      return true;
    } catch (failure) {
      return failure.status !== 404;
    }
  }

  take(text) {
    this.incoming = (this.incoming + text).slice(-HELD_CHARS_MAX);
    this.waiting += text.split("\n").length - 1;
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
    const pieces = this.incoming.split("\n");
    this.incoming = "";
    this.waiting = 0;
    const fragment = document.createDocumentFragment();
    const first = Math.max(0, pieces.length - LINES_MAX);
    for (let at = first; at < pieces.length; at += 1) {
      const piece = pieces[at];
      if (at > 0) this.last = null;
      // What follows the last line break is no line yet.
      if (piece === "" && (this.last || at === pieces.length - 1)) continue;
      if (!this.last) {
        this.last = { text: "", dropped: 0, returns: false, node: el("div") };
        fragment.append(this.last.node);
      }
      extend(this.last, piece);
    }
    lines.append(fragment);
    while (lines.childElementCount > LINES_MAX) lines.firstChild.remove();
    this.stay();
    this.onchange();
  }
}

/** A line in place of output that is not kept any more, or of a log that begins again. */
const gapLine = (bytes) => (bytes === null ? "\n\u2026 the log begins again\n" : `\n\u2026 ${bytes} bytes are missing\n`);

/** Adds text to a line, which does not become longer than can be shown quickly. */
function extend(line, piece) {
  let end = piece.length;
  while (piece[end - 1] === "\r") end -= 1;
  const text = piece.slice(0, end);
  // A carriage return begins the line again, as progress bars do. One at the end may belong to the end of the line.
  const again = text.lastIndexOf("\r") + 1;
  if (again || (line.returns && text)) Object.assign(line, { text: "", dropped: 0, returns: false });
  line.returns ||= end < piece.length;
  const room = LINE_CHARS_MAX - line.text.length;
  line.text += text.slice(again, again + room);
  line.dropped += Math.max(0, text.length - again - room);
  const shown = visible(line.text.replace(ESCAPES, ""));
  setText(line.node, line.dropped ? `${shown} \u2026 ${line.dropped} more characters` : shown);
}

/** Search in the lines of logs. `show` gets the number of the current hit, from 1, the number of all, and whether there are more. */
export class Search {
  constructor(views, show) {
    this.views = views;
    this.show = show;
    this.query = "";
    this.hits = [];
    this.at = 0;
    const again = calmly(() => this.find(false), SEARCH_EVERY_MS);
    for (const view of views) view.onchange = () => this.query && again();
  }

  look(query) {
    this.query = query.toLowerCase();
    return this.find(true);
  }

  /** Searches all lines; a new query begins at the newest hit. */
  async find(isNew) {
    const { query } = this;
    const hits = [];
    let hasMore = false;
    let until = performance.now() + SLICE_MS;
    for (const { lines } of query ? this.views : []) {
      const found = [];
      for (let line = lines.lastChild; line && found.length < HITS_MAX; line = line.previousSibling) {
        found.push(...hitsIn(line.firstChild, query).toReversed());
        if (performance.now() > until) {
          await new Promise((resolve) => setTimeout(resolve));
          if (query !== this.query) return;
          until = performance.now() + SLICE_MS;
        }
      }
      hits.push(...found.toReversed());
      hasMore ||= found.length >= HITS_MAX;
    }
    const current = isNew ? null : this.hits[this.at];
    const again = hits.findIndex((hit) => hit.startContainer === current?.startContainer && hit.startOffset === current.startOffset);
    this.hits = hits;
    this.hasMore = hasMore;
    this.at = again < 0 ? hits.length - 1 : again;
    this.mark(isNew);
  }

  step(by) {
    const { length } = this.hits;
    if (!length) return;
    this.at = (this.at + by + length) % length;
    this.mark(true);
  }

  mark(isScrolling) {
    const hit = this.hits[this.at];
    this.show(hit ? this.at + 1 : 0, this.hits.length, this.hasMore);
    document.querySelector(".lines .current")?.classList.remove("current");
    const line = hit?.startContainer.parentElement;
    line?.classList.add("current");
    if (isScrolling) line?.scrollIntoView({ block: "nearest" });
    // Highlights leave the lines as they are. Browsers without them still have the current line.
    if (globalThis.Highlight) CSS.highlights.set("hits", new Highlight(...this.hits));
  }
}

/** The places of a query in a text node, so many at most. */
function hitsIn(node, query) {
  const hits = [];
  const text = node?.data.toLowerCase() ?? "";
  for (let from = text.indexOf(query); from >= 0 && hits.length < HITS_MAX; from = text.indexOf(query, from + query.length)) {
    const to = Math.min(from + query.length, node.length);
    hits.push(new StaticRange({ startContainer: node, startOffset: from, endContainer: node, endOffset: to }));
  }
  return hits;
}
