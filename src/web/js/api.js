// The JSON API of the server that this page comes from.

// Relative, since a proxy may serve the pages below a path of its own.
const base = new URL("api/v1", document.baseURI).href;

const KINDS = ["process", "health", "group", "supervisor"];
const RETRY_MIN_MS = 1_000;
const RETRY_MAX_MS = 15_000;
const POLL_MS = 5_000;

// A browser has only six connections to a server for all of its tabs, so a hidden tab gives up its streams.
const HIDDEN_MS = 10_000;

/** A request that failed; the message is for people. `status` is 0 if there was no answer. */
export class Failure extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

async function request(method, path) {
  let answer;
  try {
    answer = await fetch(base + path, { method, cache: "no-store" });
  } catch {
    throw new Failure("The supervisor does not answer", 0);
  }
  const body = await answer.json().catch(() => null);
  if (answer.ok && body) return body;
  throw new Failure(body?.error?.message ?? `${answer.status} ${answer.statusText}`, answer.status);
}

/** The path of a process, or of `group:*` or `*`. */
export const pathOf = (name) => `/processes/${encodeURIComponent(name)}`;

export const get = (path) => request("GET", path);

/** Performs an action and returns the failures of single processes. What fails as a whole is thrown. */
export async function act(path) {
  const { results = [] } = await request("POST", path);
  return results.filter(({ error }) => error).map(({ full_name, error }) => `${full_name}: ${error.message}`);
}

/** The stream of an address of the API. */
export const stream = (path) => new EventSource(base + path);

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
  // A page that comes back from the browser's cache has lost its streams.
  addEventListener("pageshow", ({ persisted }) => persisted && start());
  if (document.hidden) {
    // Opened in the background: a browser has six connections for all pages of a server.
    runs = false;
  } else {
    start();
  }
}

/**
 * Follows the event log.
 *
 * `load` fetches everything and returns the serial up to which it is current, as `after` is at first. `take` gets each
 * later event, and `show` learns whether the page is live. After a gap or a lost connection everything is loaded again, so the page
 * is right whatever was missed, even if it was a restart of the supervisor.
 */
export function followEvents({ after, load, take, show }) {
  let source = null;
  let timer = 0;
  let pause = RETRY_MIN_MS;
  let attempt = 0;

  function stop() {
    attempt += 1;
    clearTimeout(timer);
    source?.close();
    source = null;
  }

  function lose(failure) {
    stop();
    show(false, failure);
    timer = setTimeout(start, pause);
    pause = Math.min(pause * 2, RETRY_MAX_MS);
  }

  // Requests are answered and the stream is refused, as by some proxies.
  function poll() {
    stop();
    show(true);
    timer = setTimeout(start, POLL_MS);
  }

  async function start() {
    stop();
    const mine = attempt;
    try {
      const current = after ?? (await load());
      after = null;
      if (mine !== attempt) return;
      source = stream(`/events?follow=true&after=${current}`);
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
    for (const kind of KINDS) {
      source.addEventListener(kind, ({ data }) => take(JSON.parse(data)));
    }
  }

  whileVisible(start, stop);
}
