// A target p and a Normal q over one line: how they are drawn, and the handles that move q.

import { curve, note, readable } from "./plot.js";
import { logDensity } from "./weights.js";

const N_CURVE = 280;
const STEP = { loc: 0.05, scale: 0.02 }; // of an arrow key

export const narrow = (width) => width < 560;
export const normal = ({ loc, scale }) => ({ family: "normal", loc, scale });

export function gridOf([low, high]) {
  return Float64Array.from({ length: N_CURVE + 1 }, (_, i) => low + (i / N_CURVE) * (high - low));
}

export const heights = (density, grid) => grid.map((z) => Math.exp(logDensity(density, z)));

// Where z and density stand in a box; handles need it as well as the drawing. A q that is much
// higher than p is cut off.
export function frame(box, window, p, q) {
  const [left, right, high, low] = [box.left + 12, box.left + box.width - 12, box.top + 10, box.top + box.height - 4];
  const highest = Math.max(...p);
  const top = Math.min(Math.max(highest, ...q) * 1.12, 4 * highest);
  const toX = (z) => left + ((z - window[0]) / (window[1] - window[0])) * (right - left);
  const toZ = (x) => window[0] + ((x - left) / (right - left)) * (window[1] - window[0]);
  const toY = (density) => low - (Math.min(density, top) / top) * (low - high);
  return { toX, toZ, toY, left, right, high, low, window };
}

// `on` gives the opacity of a term: what the reader does not point at steps back.
export function drawPair(pen, main, grid, p, q, { tones, on }) {
  const pairs = (ys) => Array.from(ys, (y, i) => [grid[i], y]);
  curve(pen, main, pairs(p), { color: tones.target, fill: 0.13, alpha: on("target") });
  curve(pen, main, pairs(q), { color: tones.proposal, fill: 0.1, dash: [9, 5], alpha: on("proposal") });
  note(pen, "p, the target", main.left + 4, main.high + 6, { color: tones.target, bold: true });
  note(pen, "q, the proposal", main.left + 4, main.high + 26, { color: tones.proposal, bold: true });
}

export function drawLine(pen, main, y, tones, step = 2) {
  pen.strokeStyle = tones.muted;
  pen.lineWidth = 1;
  pen.beginPath();
  pen.moveTo(main.left, y);
  pen.lineTo(main.right, y);
  pen.stroke();
  const [low, high] = main.window;
  for (let z = Math.ceil(low / step) * step; z <= high; z += step) {
    if (z === low || z === high) continue;
    note(pen, readable(z), main.toX(z), y + 17, { color: tones.muted, align: "center" });
  }
}

// One bar for each column of pixels, the heaviest draw there: more would only be painted over.
// `skip` says which draws are left out.
export function drawStems(pen, main, { top, bottom }, z, w, tones, { alpha = 1, skip = () => false } = {}) {
  const tallest = w.reduce((most, each) => Math.max(most, each), 0) || 1;
  const columns = new Map();
  for (let k = 0; k < z.length; k++) {
    if (skip(k) || z[k] < main.window[0] || z[k] > main.window[1]) continue;
    const column = Math.round(main.toX(z[k]) * 2) / 2;
    if (!(columns.get(column) >= w[k])) columns.set(column, w[k]);
  }
  pen.save();
  pen.globalAlpha = alpha;
  pen.fillStyle = tones.weights;
  for (const [x, share] of columns) {
    const tall = Math.max(1, (share / tallest) * (bottom - top));
    pen.fillRect(x - 0.7, bottom - tall, 1.4, tall);
  }
  pen.fillStyle = tones.proposal;
  for (const x of columns.keys()) pen.fillRect(x - 1, bottom, 2, 4); // where the draws are
  pen.restore();
  return { toY: (share) => bottom - (share / tallest) * (bottom - top), tallest };
}

export function handles(state, main, { loc: ends, scale: sizes }, width) {
  const q = normal(state);
  const held = (x) => Math.max(22, Math.min(width - 22, x));
  const place = (z) => ({ x: held(main.toX(z)), y: main.toY(Math.exp(logDensity(q, z))) });
  const { loc, scale } = state;
  const wide = { value: scale, low: sizes[0], high: sizes[1], text: readable(scale, 1), shape: "wide" };
  const found = [
    { name: "left", label: "Scale of q, left shoulder", ...place(loc - scale), ...wide },
    { name: "right", label: "Scale of q, right shoulder", ...place(loc + scale), ...wide },
  ];
  if (!ends) return found;
  const peak = { value: loc, low: ends[0], high: ends[1], text: readable(loc, 1) };
  return [{ name: "peak", label: "Mean of q", ...place(loc), ...peak }, ...found];
}

function within(value, [low, high]) {
  return +Math.max(low, Math.min(high, Math.round(value * 100) / 100)).toFixed(2);
}

export function drag(name, point, state, main, limits) {
  const z = main.toZ(point.x);
  if (name === "peak") return { ...state, loc: within(z, limits.loc) };
  return { ...state, scale: within(name === "left" ? state.loc - z : z - state.loc, limits.scale) };
}

export function nudge(name, steps, state, limits) {
  if (name === "peak") return { ...state, loc: within(state.loc + steps * STEP.loc, limits.loc) };
  return { ...state, scale: within(state.scale + steps * STEP.scale, limits.scale) };
}
