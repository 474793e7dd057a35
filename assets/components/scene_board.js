// All cures on one board: q is dragged over p, and on release every estimator's error and cost appear.

import { clip, gridOver, ground, logAxes, measured, narrow, normalHandles, within, zAxis } from "./better.js";
import { curve, line, note, segment } from "./plot.js";
import { logDensity } from "./weights.js";

const WINDOW = [-8, 8];
const LIMITS = { loc: [-6, 6], scale: [0.2, 4] };
const STEP = { loc: 0.05, scale: 0.02 };
const LIST = 204; // px for the names beside the points, where there is room
const DEEPEST = 4; // powers of ten below the largest error: what lies deeper is drawn there

function decode(meta, arrays) {
  const grid = gridOver(WINDOW);
  const values = Object.fromEntries(Object.entries(arrays).map(([name, array]) => [name, Array.from(array.values)]));
  return { ...meta, ...values, grid, p: grid.map((z) => Math.exp(logDensity(meta.target, z))) };
}

// q as the formulas know it.
function proposal({ loc, scale }, model) {
  const { family, df, log_constant: constant } = model;
  if (family === "student_t") return { family, loc, scale, df, log_constant: constant };
  if (family !== "defensive") return { family, loc, scale };
  const components = [{ family: "normal", loc, scale }, model.safe];
  return { family: "mixture", components, weights: [1 - model.safe_share, model.safe_share] };
}

function compute(state, model) {
  const q = proposal(state, model);
  return { q, qCurve: model.grid.map((z) => Math.exp(logDensity(q, z))) };
}

const height = () => 580;

function layout({ width, height: tall }, state, numbers, model) {
  const upper = { left: 0, top: 0, width, height: 180 };
  const highest = Math.max(...model.p);
  const top = Math.min(Math.max(highest, ...numbers.qCurve) * 1.15, 3 * highest);
  const list = narrow(width) && width < 500 ? 0 : LIST;
  const below = { left: 0, top: 212, width: width - list, height: tall - 212 };
  return { main: ground(upper, WINDOW, top), upper, below, list };
}

function draw(pen, { view, numbers, model, tones, mark, fresh }) {
  const on = (term) => (mark === null || mark === term ? 1 : 0.25);
  const { main, upper } = view;
  const pairs = (ys) => Array.from(ys, (y, i) => [model.grid[i], y]);
  clip(pen, { ...upper, height: upper.height - 3 }, () => {
    curve(pen, main, pairs(model.p), { color: tones.target, fill: 0.13, alpha: on("target") });
    curve(pen, main, pairs(numbers.qCurve), { color: tones.proposal, fill: 0.1, dash: [9, 5], alpha: on("proposal") });
  });
  zAxis(pen, main, WINDOW, main.low, tones);
  note(pen, "p, the target", main.left + 4, 16, { color: tones.target, bold: true });
  note(pen, "q, the proposal", main.left + 4, 36, { color: tones.proposal, bold: true });
  pen.save();
  pen.globalAlpha = fresh ? 1 : 0.3;
  drawBoard(pen, view, model, tones);
  pen.restore();
  if (!fresh) note(pen, "computing …", view.below.left + 60, view.below.top + 60, { color: tones.text, bold: true });
}

function drawBoard(pen, { below: box, list }, model, tones) {
  const { cost, rmse, rmse_error: error, true_std: exact, n_samples: K, reference } = model;
  const most = Math.max(...cost);
  const log = (value) => Math.log10(Math.max(value, 1e-300));
  const tops = rmse.map((value, i) => log(value + 2 * error[i]));
  const high = Math.max(...tops) + 0.15;
  const low = Math.max(high - DEEPEST, Math.min(...rmse.map((value, i) => log(Math.max(value - 2 * error[i], 0.3 * value)))) - 0.2);
  const ends = [0.5 * Math.min(...cost), most + 0.5 * K];
  const xTicks = [...new Set(cost)].map((at) => [at, `${at === K ? "" : +(at / K).toFixed(2)}K`]);
  const scale = logAxes({ pen, ...box }, {
    x: ends, y: [low, high], tones, xTicks,
    xLabel: "cost: draws, densities, copies", title: "Error (root mean square) against cost",
  });
  // What importance sampling would reach at each cost: its error falls like the root.
  const value = log(rmse[reference]) + 0.5 * log(cost[reference]);
  const same = Array.from({ length: 61 }, (_, i) => ends[0] + ((ends[1] - ends[0]) * i) / 60).map((x) => [x, value - 0.5 * log(x)]);
  const { box: inner } = scale;
  clip(pen, { left: inner.left, top: inner.top, width: inner.right - inner.left, height: inner.bottom - inner.top }, () => {
    line(pen, scale, same, { color: tones.muted, width: 1.5, dash: [3, 4] });
  });
  const points = spread(model, scale, low);
  for (const { i, x, above } of points) {
    const shifted = { ...scale, toX: () => x };
    const floor = Math.max(low, log(Math.max(rmse[i] - 2 * error[i], 1e-300)));
    const color = colorOf(model.keys[i], tones);
    measured(pen, shifted, 0, floor, Math.max(low, log(rmse[i])), log(rmse[i] + 2 * error[i]), { color, hollow: log(rmse[i]) < low });
    if (log(exact[i]) > high) {
      note(pen, "▴", x, inner.top + 2, { color: tones.exact, align: "center" }); // the exact one is off the scale
    } else if (log(exact[i]) > low) {
      pen.strokeStyle = tones.exact;
      pen.lineWidth = 2;
      segment(pen, x - 7, scale.toY(log(exact[i])), x + 7, scale.toY(log(exact[i])));
    }
    const [top, bottom] = [log(rmse[i] + 2 * error[i]), floor].map((value) => scale.toY(Math.max(low, value)));
    note(pen, String(i + 1), x, above ? Math.max(inner.top + 10, top - 5) : Math.min(inner.bottom - 4, bottom + 15), { color: tones.text, align: "center", bold: true });
  }
  if (list) drawNames(pen, points, box, model, tones);
  const known = "\u2500 exact (\u25b4 beyond)";
  note(pen, known, inner.left + 4, inner.bottom - 8, { color: tones.exact });
  const after = inner.left + 4 + pen.measureText(known).width + 14;
  note(pen, `\u254c worth as much as ${reference + 1}`, after, inner.bottom - 8, { color: tones.muted });
}

const colorOf = (key, tones) => (key === "monte_carlo" ? tones.target : key === "optimal" ? tones.exact : tones.bound);

// Ways of one cost stand side by side, so that none hides another.
function spread(model, scale, low) {
  const columns = new Map();
  model.cost.forEach((cost, i) => columns.set(cost, [...(columns.get(cost) ?? []), i]));
  const room = Math.abs(scale.toX(model.n_samples) - scale.toX(0));
  const found = [];
  for (const [cost, members] of columns) {
    const step = Math.min(18, (0.9 * room) / members.length);
    members.forEach((i, place) => {
      const x = scale.toX(cost) + (place - (members.length - 1) / 2) * step;
      const y = scale.toY(Math.max(low, Math.log10(Math.max(model.rmse[i], 1e-300))));
      found.push({ i, x, y, above: step > 15 || place % 2 === 0 });
    });
  }
  return found;
}

// The names in the order of the errors.
function drawNames(pen, points, box, model, tones) {
  const ordered = [...points].sort((a, b) => model.rmse[b.i] - model.rmse[a.i]);
  const left = box.left + box.width + 8;
  note(pen, "from the largest error down", left, box.top + 14, { color: tones.muted });
  ordered.forEach(({ i }, n) => {
    const color = colorOf(model.keys[i], tones);
    const y = box.top + 38 + 21 * n;
    note(pen, String(i + 1), left + 16, y, { color: tones.text, align: "right", bold: true });
    note(pen, SHORT[model.keys[i]] ?? model.names[i], left + 24, y, { color: color === tones.exact ? tones.text : color });
  });
}

// The long ones, shorter.
const SHORT = {
  control_variate: "Control variate",
  balance: "Balance heuristic",
  power: "Power heuristic",
};

function handles({ state, numbers, view }) {
  const density = (z) => Math.exp(logDensity(numbers.q, z));
  const names = { loc: "loc", scale: "scale" };
  return normalHandles(view.main, { ...state, names, title: "q", limits: LIMITS, height: density });
}

function drag(name, point, { state, view }) {
  const z = view.main.toZ(point.x);
  return { ...state, [name]: within(LIMITS[name], name === "loc" ? z : z - state.loc) };
}

const nudge = (name, steps, { state }) => ({ ...state, [name]: within(LIMITS[name], state[name] + steps * STEP[name]) });

const cards = ({ model, fresh }) =>
  model.cards.map((card) => ({ ...card, value: fresh ? card.value : "…", note: fresh ? card.note : "…", exact: true }));

const says = ({ model }) => model.cards.map(({ label, value, note: text }) => `${label}: ${value}, ${text}.`).join(" ");

function table({ model }) {
  const rows = model.names.map((name, i) => [`"${name}"`, model.cost[i], model.rmse[i], model.rmse_error[i], model.true_std[i]]);
  return [["way", "cost", "rmse", "rmse_error", "exact_deviation"], ...rows];
}

export default { decode, compute, height, layout, draw, handles, drag, nudge, cards, says, table };
