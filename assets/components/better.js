// What the scenes of *Better proposals* share: the ground on which densities stand, handles of a
// normal proposal, log axes, and rows of estimates as dots beside the exact answer.

import { axes, note, readable, segment, spot } from "./plot.js";

export const narrow = (width) => width < 620;

const N_CURVE = 240;

export function gridOver([low, high], count = N_CURVE) {
  return Float64Array.from({ length: count + 1 }, (_, i) => low + ((high - low) * i) / count);
}

// Where z and a density stand in a box; `top` is the density at its upper edge.
export function ground(box, [from, to], top) {
  const [left, right] = [box.left + 12, box.left + box.width - 12];
  const [high, low] = [box.top + 10, box.top + box.height - 4];
  return {
    box, left, right, high, low,
    toX: (z) => left + ((z - from) / (to - from)) * (right - left),
    toZ: (x) => from + ((x - left) / (right - left)) * (to - from),
    toY: (density) => low - (Math.min(density, top) / top) * (low - high),
  };
}

export function zAxis(pen, { left, right, toX }, [from, to], y, tones) {
  pen.strokeStyle = tones.muted;
  pen.lineWidth = 1;
  segment(pen, left, y, right, y);
  for (let z = Math.ceil(from / 2) * 2; z <= to; z += 2) {
    if (z === from || z === to) continue;
    note(pen, readable(z), toX(z), y + 17, { color: tones.muted, align: "center" });
  }
}

export function clip(pen, { left, top, width, height }, paint) {
  pen.save();
  pen.beginPath();
  pen.rect(left, top, width, height);
  pen.clip();
  paint();
  pen.restore();
}

// Handles for location and scale of a normal proposal, standing on its curve.
export function normalHandles(scale, { loc, scale: sd, names, title, limits, height }) {
  const held = (x) => Math.max(scale.left + 10, Math.min(scale.right - 10, x));
  const at = (z) => ({ x: held(scale.toX(z)), y: scale.toY(height(z)) });
  const text = (value) => readable(value, 1);
  const [l, s] = [limits.loc, limits.scale];
  return [
    { name: names.loc, label: `Mean of ${title}`, ...at(loc), value: loc, low: l[0], high: l[1], text: text(loc) },
    {
      name: names.scale, label: `Scale of ${title}`, ...at(loc + sd), shape: "wide",
      value: sd, low: s[0], high: s[1], text: text(sd),
    },
  ];
}

export function within([low, high], value, unit = 0.01) {
  const rounded = Math.round(value / unit) * unit;
  return +Math.max(low, Math.min(high, rounded)).toFixed(4);
}

// Axes whose y counts in powers of ten: the range `y` is in logarithms to base 10.
export function logAxes({ pen, left, top, width, height }, { x, y, title, tones, ...labels }) {
  const margin = 38;
  const inner = { pen, top: top + 18, height: height - 18, left: left + margin, width: width - margin };
  const scale = axes(inner, { x, y: null, tones, ...labels });
  const { box } = scale;
  const toY = (value) => box.bottom - ((value - y[0]) / (y[1] - y[0] || 1)) * (box.bottom - box.top);
  const [low, high] = [Math.ceil(y[0] - 1e-9), Math.floor(y[1] + 1e-9)];
  const every = Math.max(1, Math.ceil((high - low + 1) / 6));
  pen.save();
  pen.textAlign = "right";
  pen.textBaseline = "middle";
  pen.fillStyle = tones.muted;
  pen.strokeStyle = tones.grid;
  const marks = [];
  for (let power = low; power <= high; power += every) marks.push([power, tenTo(power)]);
  for (let power = low - 1; marks.length < 3 && power <= high; power++) {
    for (const digit of [2, 5]) {
      const at = power + Math.log10(digit);
      if (at > y[0] && at < y[1]) marks.push([at, readable(10 ** at, 10 ** at)]);
    }
  }
  for (const [at, text] of marks) {
    pen.fillText(text, box.left - 6, toY(at));
    segment(pen, box.left, toY(at), box.right, toY(at));
  }
  pen.restore();
  if (title) note(pen, title, left + 2, top + 14, { color: tones.text, bold: true });
  return { toX: scale.toX, toY, box };
}

const RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹";

export function tenTo(power) {
  if (power >= -3 && power <= 3) return readable(10 ** power, 10 ** power);
  return `10${String(power).replace("-", "⁻").replace(/\d/g, (digit) => RAISED[digit])}`;
}

// Ends that hold all but the most extreme 2 % of the values on each side.
export function bulk(values) {
  const sorted = values.filter(Number.isFinite).sort((one, other) => one - other);
  if (!sorted.length) return [];
  const at = (part) => sorted[Math.round(part * (sorted.length - 1))];
  return [at(0.02), at(0.98)];
}

const DOT = 2.6;

// Rows of estimates as dots: { title, text, values, color, mark, markText, alpha, at } where `at` is
// the value this row tends to and `mark` the estimate of the draws above.
export function rows(pen, box, range, list, { tones, exact, exactText, xLabel }) {
  const sheet = { pen, ...box };
  const scale = axes(sheet, { x: range, y: null, tones, xLabel });
  const { left, right, top, bottom } = scale.box;
  const tall = (bottom - top) / list.length;
  pen.save();
  pen.strokeStyle = tones.exact;
  pen.lineWidth = 1.5;
  pen.setLineDash([8, 4]);
  segment(pen, scale.toX(exact), top, scale.toX(exact), bottom);
  pen.restore();
  list.forEach((row, i) => {
    const base = top + tall * (i + 1) - 6;
    const middle = top + tall * i + 22 + (tall - 28) / 2;
    const placed = stack(row.values, scale, (tall - 30) / 2);
    pen.save();
    pen.globalAlpha = row.alpha ?? 1;
    pen.fillStyle = row.color;
    for (const [x, y] of placed.dots) {
      pen.beginPath();
      pen.arc(x, middle + y, DOT, 0, 2 * Math.PI);
      pen.fill();
    }
    pen.restore();
    pen.strokeStyle = tones.grid;
    if (i < list.length - 1) segment(pen, left, base + 6, right, base + 6);
    note(pen, row.title, left + 2, top + tall * i + 15, { color: row.color, bold: true });
    if (row.text) note(pen, row.text, right, top + tall * i + 15, { color: tones.muted, align: "right", halo: tones.background });
    if (placed.below) note(pen, `◂ ${placed.below}`, left + 2, middle + 5, { color: tones.muted, halo: tones.background });
    if (placed.above) note(pen, `${placed.above} ▸`, right, middle + 5, { color: tones.muted, align: "right", halo: tones.background });
    if (Number.isFinite(row.mark)) {
      const x = Math.max(left, Math.min(right, scale.toX(row.mark)));
      pen.strokeStyle = tones.text;
      pen.lineWidth = 2;
      segment(pen, x, middle - 9, x, middle + 9);
      spot(pen, x, middle, { color: tones.text, radius: 4, hollow: true });
    }
  });
  if (exactText) note(pen, `\u254c ${exactText}`, box.left + box.width - 10, box.top - 6, { color: tones.text, align: "right" });
  return scale;
}

// Dots that would cover each other stand side by side, up and down from the middle.
function stack(values, scale, room) {
  const { left, right } = scale.box;
  const columns = new Map();
  const dots = [];
  let [below, above] = [0, 0];
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    const x = scale.toX(value);
    if (x < left) below++;
    else if (x > right) above++;
    else {
      const column = Math.round(x / (2 * DOT));
      const n = columns.get(column) ?? 0;
      columns.set(column, n + 1);
      dots.push([x, n, column]);
    }
  }
  const tallest = Math.max(1, ...columns.values());
  const step = Math.min(2 * DOT + 0.4, (2 * room) / tallest);
  return {
    below, above,
    dots: dots.map(([x, n]) => [x, (n % 2 ? -1 : 1) * Math.ceil(n / 2) * step]),
  };
}

// A measured number with its error, both in units of the axes.
export function measured(pen, scale, x, low, value, high, { color, hollow = false, square = false }) {
  pen.save();
  pen.strokeStyle = color;
  pen.fillStyle = color;
  pen.lineWidth = 1.5;
  const at = scale.toX(x);
  const clipY = (y) => Math.max(scale.box.top, Math.min(scale.box.bottom, scale.toY(y)));
  segment(pen, at, clipY(low), at, clipY(high));
  const y = scale.toY(value);
  if (y >= scale.box.top - 1 && y <= scale.box.bottom + 1) {
    pen.beginPath();
    if (square) pen.rect(at - 4, y - 4, 8, 8);
    else pen.arc(at, y, 4.2, 0, 2 * Math.PI);
    pen.lineWidth = 2;
    if (hollow) pen.stroke();
    else pen.fill();
  }
  pen.restore();
}
