// The JSON API of the server that this page comes from.

// Relative, since a proxy may serve the pages below a path of its own.
const base = new URL("api/v1", document.baseURI).href;

const KINDS = ["process", "health", "group", "supervisor"];
const RETRY_MIN_MS = 1_000;
const RETRY_MAX_MS = 15_000;
const POLL_MS = 5_000;
const RESOURCES_EVERY_MS = 5_000;

// A stream sends nothing that a script sees while nothing happens, so a connection that is gone without a word looks the same.
const SILENCE_MS = 45_000;

// A browser has only six connections to a server for all of its tabs, so a page has one stream, and a hidden one gives it up.
const HIDDEN_MS = 10_000;

// Beyond what a request itself may wait for.
const ANSWER_MS = 10_000;

/** A request that failed; the message is for people. `status` is 0 if there was no answer. */
export class Failure extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

async function request(method, path, waitSecs = 0) {
  let answer;
  let body;
  try {
    answer = await fetch(base + path, { method, cache: "no-store", signal: AbortSignal.timeout(waitSecs * 1000 + ANSWER_MS) });
    body = await answer.json();
  } catch (error) {
    // What is not JSON comes from a proxy.
    if (!(error instanceof SyntaxError)) throw new Failure("The supervisor does not answer", 0);
  }
  if (answer.ok && body) return body;
  throw new Failure(body?.error?.message ?? `${answer.status} ${answer.statusText}`, answer.status);
}

/** The path of a process, or of `group:*` or `*`. Dots alone mean other paths, also if they are encoded. */
export const pathOf = (name) => `/processes/${encodeURIComponent(/^\.\.?$/.test(name) ? `${name}:${name}` : name)}`;

export const get = (path) => request("GET", path);

/**
 * Performs an action and returns the failures of single processes. What fails as a whole is thrown. With `waitSecs` the
 * answer comes when it is complete, or after that time.
 */
export async function act(path, waitSecs) {
  const { results = [] } = await request("POST", waitSecs ? `${path}?wait=${waitSecs}` : path, waitSecs);
  return results.filter(({ error }) => error).map(({ full_name, error }) => `${full_name}: ${error.message}`);
}

/**
 * A function that has `run` run soon: not twice at one time, and not again before `intervalMs` have passed. Calls that come
 * meanwhile lead to one more run, and so does a failure, after a while.
 */
export function calmly(run, intervalMs) {
  let isDue = false;
  let isRunning = false;
  let last = -intervalMs;
  let pause = 0;
  const schedule = () => setTimeout(start, Math.max(pause, last + intervalMs - performance.now()));
  async function start() {
    isDue = false;
    isRunning = true;
    last = performance.now();
    try {
      await run();
      pause = 0;
    } catch {
      pause = Math.min(Math.max(pause * 2, RETRY_MIN_MS), RETRY_MAX_MS);
      isDue = true;
    }
    isRunning = false;
    if (isDue) schedule();
  }
  return () => {
    if (!isDue && !isRunning) schedule();
    isDue = true;
  };
}

/** Runs `start` now, `stop` once the page has been hidden for a while, and `start` again when it is looked at. */
export function whileVisible(start, stop) {
  let timer = 0;
  let runs = true;
  const look = () => {
    clearTimeout(timer);
    if (document.hidden) {
      timer = setTimeout(() => {
        runs = false;
        stop();
      }, HIDDEN_MS);
    } else if (!runs) {
      runs = true;
      start();
    }
  };
  document.addEventListener("visibilitychange", look);
  // A page that was left may be kept for the way back, with its connections.
  addEventListener("pagehide", stop);
  addEventListener("pageshow", ({ persisted }) => persisted && start());
  if (document.hidden) {
    // Opened in the background.
    runs = false;
  } else {
    start();
  }
}

/** Does something now and again and again, while the page is visible. */
export function everyWhile(intervalMs, act) {
  let timer = 0;
  whileVisible(
    () => {
      clearInterval(timer);
      act();
      timer = setInterval(act, intervalMs);
    },
    () => clearInterval(timer),
  );
}

/** Has `take` get the memory of the processes that run, by their names, again and again while the page is visible. */
export function followMemory(take, filter = "") {
  let hasMemory = true;
  everyWhile(RESOURCES_EVERY_MS, async () => {
    if (!hasMemory) return;
    const answer = await get(`/resources${filter}`).catch((failure) => failure);
    // A server may not have it, and the client's role may not include it.
    hasMemory = ![403, 404].includes(answer.status);
    if (!(answer instanceof Failure)) take(new Map(answer.processes.map((it) => [it.full_name, it.resident_bytes])));
  });
}

const eventsAfter = (serial) => `/events?follow=true&after=${serial}`;

/**
 * Follows the event log.
 *
 * `load` fetches everything and returns the serial up to which it is current, as `after` is at first. `take` gets each
 * later event, and `show` learns whether the page is live, and whether by a stream. After a gap or a lost connection everything is
 * loaded again, so the page is right whatever was missed, even if it was a restart of the supervisor. `pathAfter` is the path of a
 * stream with more in it than events, for which `listen` adds its listeners.
 */
export function followEvents({ after, load, take, show, pathAfter = eventsAfter, listen = () => {} }) {
  let source = null;
  let timer = 0;
  let pause = RETRY_MIN_MS;
  let attempt = 0;
  let newest = 0;
  let silence = 0;

  function stop() {
    attempt += 1;
    clearTimeout(timer);
    clearTimeout(silence);
    source?.close();
    source = null;
  }

  function lose(failure) {
    stop();
    show(false, { failure });
    timer = setTimeout(start, pause);
    pause = Math.min(pause * 2, RETRY_MAX_MS);
  }

  // Requests are answered and the stream is refused, as by some proxies.
  function poll() {
    stop();
    show(true, { isPolled: true });
    timer = setTimeout(start, POLL_MS);
  }

  /** Waits for the next event. After a long silence the supervisor is asked whether there were any. */
  function listenOn() {
    clearTimeout(silence);
    silence = setTimeout(breakSilence, SILENCE_MS);
  }

  async function breakSilence() {
    const mine = attempt;
    try {
      const { newest_event: last } = await get("");
      if (mine !== attempt) return;
      if (last === newest) listenOn();
      else start();
    } catch (failure) {
      if (mine === attempt) lose(failure);
    }
  }

  async function start() {
    stop();
    const mine = attempt;
    try {
      const current = after ?? (await load());
      after = null;
      if (mine !== attempt) return;
      newest = current;
      source = new EventSource(base + pathAfter(current));
      listenOn();
    } catch (failure) {
      if (mine === attempt) lose(failure);
      return;
    }
    source.onopen = () => {
      pause = RETRY_MIN_MS;
      show(true);
    };
    source.onerror = () => (source.readyState === EventSource.CLOSED ? poll() : lose());
    source.addEventListener("gap", start);
    source.addEventListener("end", () => {
      stop();
      timer = setTimeout(start, RETRY_MIN_MS);
    });
    listen(source);
    for (const kind of KINDS) {
      source.addEventListener(kind, ({ data }) => {
        const event = JSON.parse(data);
        newest = event.serial;
        listenOn();
        take(event);
      });
    }
  }

  whileVisible(start, stop);
}
