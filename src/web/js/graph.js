// The processes that one process depends on, and those that depend on it, as a picture with links.

import { pageOf, visible } from "./view.js";

const WIDTH = 132;
const HEIGHT = 34;
const GAP_X = 40;
const GAP_Y = 12;

// Processes shown side by side; there may be a thousand workers behind one database.
const COLUMN_MAX = 8;
const DEPTH_MAX = 8;

// The room for a name beside the edge of its box. Characters differ in width, so names are measured in the font of the stylesheet.
const NAME_WIDTH = WIDTH - 20;
const NAME_CHARS_MAX = 40;
const pen = document.createElement("canvas").getContext("2d");

function svg(tag, attributes, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

/** How far processes are from one, along edges from `near` to `far`. The longest way counts. */
function distances(name, edges, near, far) {
  const found = new Map();
  let front = [name];
  for (let depth = 1; front.length && depth <= DEPTH_MAX; depth += 1) {
    const next = new Set(edges.filter((edge) => front.includes(edge[near])).map((edge) => edge[far]));
    next.delete(name);
    for (const it of next) found.set(it, depth);
    front = [...next];
  }
  return found;
}

/** The names around a process, each with its column: negative for what it needs. */
export function around(graph, name) {
  const columns = new Map([[name, 0]]);
  for (const [it, depth] of distances(name, graph.edges, "to", "from")) columns.set(it, depth);
  for (const [it, depth] of distances(name, graph.edges, "from", "to")) columns.set(it, -depth);
  return columns;
}

/** The picture, or null for a process that stands alone. */
export function draw(graph, name) {
  const columns = around(graph, name);
  if (columns.size === 1) return null;
  const nodes = new Map(graph.nodes.map((node) => [node.full_name, node]));
  const depths = [...new Set(columns.values())].sort((a, b) => a - b);
  const members = depths.map((depth) => [...columns.keys()].filter((it) => columns.get(it) === depth && nodes.has(it)).sort());
  const tallest = Math.max(...members.map(({ length }) => Math.min(length, COLUMN_MAX + 1)));
  const height = tallest * (HEIGHT + GAP_Y) - GAP_Y + 4;
  const width = depths.length * (WIDTH + GAP_X) - GAP_X + 4;
  const places = new Map();
  const boxes = [];
  for (const [column, names] of members.entries()) {
    const shown = names.slice(0, COLUMN_MAX);
    const rest = names.length - shown.length;
    const x = 2 + column * (WIDTH + GAP_X);
    let y = (height - (shown.length + (rest ? 1 : 0)) * (HEIGHT + GAP_Y) + GAP_Y) / 2;
    for (const it of shown) {
      places.set(it, { x, y });
      boxes.push(box(nodes.get(it), x, y, it === name));
      y += HEIGHT + GAP_Y;
    }
    if (rest) boxes.push(svg("text", { x: x + 10, y: y + 22 }, `and ${rest} more`));
  }
  const lines = graph.edges.filter(({ from, to }) => places.has(from) && places.has(to)).map((edge) => line(edge, places));
  const label = `Dependencies of ${visible(name)}: on the left what it needs, on the right what needs it`;
  return svg("svg", { class: "graph", viewBox: `0 0 ${width} ${height}`, width, height, role: "group", "aria-label": label }, ...lines, ...boxes);
}

/** The end of a name, which distinguishes it from its siblings, as far as there is room. */
function fitted(name) {
  pen.font = "600 12px system-ui, sans-serif";
  const fits = (text) => pen.measureText(text).width <= NAME_WIDTH;
  const end = [...name].slice(-NAME_CHARS_MAX);
  let short = name.length > NAME_CHARS_MAX ? `\u2026${end.join("")}` : name;
  while (end.length > 1 && !fits(short)) {
    end.shift();
    short = `\u2026${end.join("")}`;
  }
  return short;
}

function box({ full_name: name, state }, x, y, isCurrent) {
  const shown = visible(name);
  const short = fitted(shown);
  const look = state.toLowerCase();
  return svg(
    "a",
    { href: pageOf(name), "aria-label": `${shown}, ${look}`, "data-look": look, class: isCurrent ? "current" : "" },
    svg("title", {}, `${shown}: ${look}`),
    svg("rect", { x, y, width: WIDTH, height: HEIGHT, rx: 7 }),
    svg("rect", { x, y, width: 5, height: HEIGHT, rx: 2, class: "edge" }),
    svg("text", { x: x + 13, y: y + 15, class: "name" }, short),
    svg("text", { x: x + 13, y: y + 28, class: "word" }, look),
  );
}

function line({ from, to, condition, optional, kind, holds }, places) {
  const [start, end] = [places.get(to), places.get(from)];
  const [x1, y1, x2, y2] = [start.x + WIDTH, start.y + HEIGHT / 2, end.x, end.y + HEIGHT / 2];
  const words = [optional ? "may use" : "needs", visible(to), `(${condition}):`, holds ? "holds" : "does not hold"];
  const title = `${visible(from)} ${words.join(" ")}${kind === "restart_with" ? "; restarts with it" : ""}`;
  const middle = (x1 + x2) / 2;
  const classes = `${holds ? "holds" : "fails"} ${optional ? "optional" : ""}`;
  const path = svg("path", { d: `M${x1} ${y1}C${middle} ${y1} ${middle} ${y2} ${x2} ${y2}`, class: classes });
  return svg("g", {}, svg("title", {}, title), path);
}
