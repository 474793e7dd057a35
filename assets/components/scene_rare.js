// A rare event under the hand: the threshold and the proposal's shift are dragged, the exact error of
// one draw and the draws that 10 % would take move with them.

import { clip, gridOver, ground, logAxes, narrow, rows, within, zAxis } from "./better.js";
import { digits, percent } from "./numbers.js";
import { curve, line, note, readable, segment, spot } from "./plot.js";
import { logNormalTail, rareDeviation } from "./tails.js";
import { logDensity, running } from "./weights.js";

const WINDOW = [-4, 12];
const LIMITS = { a: [0, 8], shift: [0, 10] };
const STEP = 0.05;
const P = { family: "normal", loc: 0, scale: 1 };
const SHIFTS = Array.from({ length: 101 }, (_, i) => i / 10);
const RANGE = [-0.15, 2.4]; // of estimates, in units of the exact probability

function decode(meta, arrays) {
  const values = Object.fromEntries(Object.entries(arrays).map(([name, array]) => [name, array.values]));
  const grid = gridOver(WINDOW, 480);
  return { ...meta, values, grid, K: meta.n_samples, p: grid.map((z) => Math.exp(logDensity(P, z))) };
}

function compute(state, model) {
  const { a, shift } = state;
  const q = { family: "normal", loc: shift, scale: 1 };
  const logExact = logNormalTail(a);
  const found = {};
  for (const [name, from] of [["naive", P], ["shifted", q]]) {
    const [f, logW] = [new Float64Array(model.K), new Float64Array(model.K)];
    let hits = 0;
    for (let k = 0; k < model.K; k++) {
      const z = from.loc + model.values[`eps_${name}`][k];
      f[k] = z > a ? 1 : 0;
      hits += f[k];
      logW[k] = logDensity(P, z) - logDensity(from, z) - logExact;
    }
    const deviation = rareDeviation(a, from.loc);
    found[name] = {
      hits, deviation, estimate: running(f, logW, true).values[model.K - 1],
      hit: Math.exp(logNormalTail(a - from.loc)), needed: needed(deviation, model),
    };
  }
  const tail = gridOver([a, WINDOW[1]], 240);
  return {
    ...found, exact: Math.exp(logExact), tail,
    best: tail.map((z) => Math.exp(logDensity(P, z) - logExact)),
    q: model.grid.map((z) => Math.exp(logDensity(q, z))),
    path: SHIFTS.map((m) => [m, Math.log10(needed(rareDeviation(a, m), model))]),
  };
}

const needed = (deviation, { goal }) => Math.max(1, (deviation / goal) ** 2);

const height = (width) => (narrow(width) ? 800 : 720);

const TOP = 0.54; // density at the upper edge: one normal and room for the names

function layout({ width, height: tall }) {
  const upper = { left: 0, top: 0, width, height: 210 };
  const estimates = { left: 0, top: 246, width, height: 220 };
  const path = { left: 0, top: 482, width, height: tall - 482 };
  return { main: ground(upper, WINDOW, TOP), upper, estimates, path, scale: null };
}

function draw(pen, { view, state, numbers, model, tones, mark, fresh }) {
  const on = (term) => (mark === null || mark === term ? 1 : 0.25);
  const { main, upper } = view;
  const pairs = (ys) => Array.from(ys, (y, i) => [model.grid[i], y]);
  const edge = main.toX(state.a);
  clip(pen, { ...upper, height: upper.height - 3 }, () => {
    pen.save();
    pen.globalAlpha = 0.1 * on("event");
    pen.fillStyle = tones.text;
    pen.fillRect(edge, main.high, main.right - edge, main.low - main.high);
    pen.restore();
    curve(pen, main, pairs(model.p), { color: tones.target, fill: 0.13, alpha: on("target") });
    curve(pen, main, pairs(numbers.q), { color: tones.proposal, fill: 0.1, dash: [9, 5], alpha: on("proposal") });
    // The optimal density, scaled to fit: its shape matters, not its height.
    const peak = Math.max(...numbers.best);
    const best = Array.from(numbers.tail, (z, i) => [z, (0.4 * numbers.best[i]) / peak]);
    curve(pen, main, [[state.a, 0], ...best], { color: tones.exact, width: 1.8, dash: [2, 3], alpha: on("optimal") });
  });
  pen.strokeStyle = tones.text;
  pen.lineWidth = 1.5;
  segment(pen, edge, main.high + 24, edge, main.low);
  zAxis(pen, main, WINDOW, main.low, tones);
  note(pen, "p, the target", main.left + 4, 16, { color: tones.target, bold: true });
  note(pen, "q, shifted", main.left + 4, 36, { color: tones.proposal, bold: true });
  note(pen, "optimal, |f| p, scaled (dotted)", main.right - 4, 36, { color: tones.text, align: "right" });
  note(pen, `the event, z > ${readable(state.a, 1)}: 1 in ${digits(1 / numbers.exact)}`, main.right - 4, 16, { color: tones.text, align: "right", bold: true });
  drawEstimates(pen, view.estimates, numbers, model, tones, fresh);
  view.scale = drawPath(pen, view.path, state, numbers, model, tones, fresh);
}

function drawEstimates(pen, box, numbers, model, tones, fresh) {
  const { K } = model;
  const seen = ({ hits }) => `${hits} of ${K} draws are events`;
  const list = [
    { title: "from p", name: "naive", text: seen(numbers.naive), color: tones.target, mark: numbers.naive.estimate },
    { title: "from q", name: "shifted", text: seen(numbers.shifted), color: tones.proposal, mark: numbers.shifted.estimate },
    { title: "optimal", name: "optimal", text: "every term is P", color: tones.text, mark: 1 },
  ].map((row) => ({ ...row, values: model.values[row.name], alpha: fresh ? 0.6 : 0.12 }));
  note(pen, "200 repeats; ring: run 1", box.left + 2, box.top + 14, { color: tones.text, bold: true });
  rows(pen, { ...box, top: box.top + 20, height: box.height - 20 }, RANGE, list, {
    tones, exact: 1, exactText: `exact ${digits(numbers.exact)}`, xLabel: "estimate / exact probability",
  });
}

function drawPath(pen, box, state, numbers, model, tones, fresh) {
  // Unshifted, q is p, whose need is asked for: while it is, the curve's ends are not drawn.
  const path = model.withheld ? numbers.path.filter(([x]) => x >= 2 && x <= 7) : numbers.path;
  const logs = path.map(([, y]) => y).filter(Number.isFinite);
  const now = Math.log10(numbers.shifted.needed);
  const naive = Math.log10(numbers.naive.needed);
  const low = Math.min(...logs, now);
  const y = [Math.max(-0.2, low - 0.5), Math.min(Math.max(model.withheld ? Math.max(...logs) : naive, now) + 0.8, 16)];
  const scale = logAxes({ pen, ...box }, { x: [0, 10], y, tones, xLabel: "shift of q", title: `Draws needed for an error of ${percent(model.goal)}, exact` });
  const { box: inner } = scale;
  clip(pen, { left: inner.left, top: inner.top, width: inner.right - inner.left, height: inner.bottom - inner.top }, () => {
    line(pen, scale, path, { color: tones.proposal, width: 2.5 });
    if (!model.withheld) line(pen, scale, [[0, naive], [10, naive]], { color: tones.target, width: 1.5, dash: [6, 4] });
    if (fresh) line(pen, scale, [[model.best_shift, y[0]], [model.best_shift, y[1]]], { color: tones.exact, width: 1.5, dash: [8, 4] });
  });
  if (!model.withheld) note(pen, "from p", inner.right - 4, scale.toY(naive) - 6, { color: tones.target, align: "right" });
  if (fresh) {
    const x = scale.toX(model.best_shift);
    const align = x > (inner.left + inner.right) / 2 ? "right" : "left";
    note(pen, `best shift ${model.best_text}`, x + (align === "left" ? 5 : -5), inner.bottom - 6, { color: tones.text, align });
  }
  const [x, at] = [scale.toX(state.shift), scale.toY(Math.min(y[1], now))];
  spot(pen, x, at, { color: tones.proposal, radius: 6 });
  const right = x > inner.right - 110;
  note(pen, digits(numbers.shifted.needed), x + (right ? -10 : 10), Math.max(inner.top + 12, at - 8), { color: tones.text, align: right ? "right" : "left", bold: true });
  return scale;
}

function handles({ state, view }) {
  const { main } = view;
  const text = (value) => readable(value, 1);
  return [
    {
      name: "shift", label: "Shift of q", x: main.toX(state.shift), y: main.toY(Math.exp(logDensity(P, 0))),
      value: state.shift, low: 0, high: 10, text: text(state.shift),
    },
    {
      name: "a", label: "Threshold of the event", tone: "exact", shape: "tall", x: main.toX(state.a), y: main.low,
      value: state.a, low: 0, high: 8, text: text(state.a),
    },
  ];
}

const drag = (name, point, { state, view }) => ({ ...state, [name]: within(LIMITS[name], view.main.toZ(point.x), STEP) });

const nudge = (name, steps, { state }) => ({ ...state, [name]: within(LIMITS[name], state[name] + steps * STEP, STEP) });

function formula({ state, numbers }) {
  return [
    { symbol: "P(z > a)", value: digits(numbers.exact), term: "event" },
    { symbol: "=" },
    { symbol: "E<sub>q</sub>[ f", value: `1 if z > ${readable(state.a, 1)}`, term: "event" },
    { symbol: "p", value: "N(0, 1)", term: "target", role: "target" },
    { symbol: "/" },
    { symbol: "q ]", value: `N(${readable(state.shift, 1)}, 1)`, term: "proposal", role: "proposal" },
    { symbol: "," },
    { symbol: "q*", value: "|f| p / P", term: "optimal" },
  ];
}

function cards({ numbers, model, fresh }) {
  const known = (text) => (fresh ? text : "…");
  const { report, K } = model;
  const per = "Exact relative deviation of one term: standard deviation of w f over P(z > a).";
  const card = (label, name) => ({
    label, value: digits(numbers[name].deviation), note: `10 % takes ${digits(numbers[name].needed)} draws`, help: per,
  });
  return [
    model.withheld ? { label: "One draw of p", value: "?", note: "predict first, above" } : card("One draw of p", "naive"),
    card("One draw of q", "shifted"),
    { label: "One draw of q*", value: "0", note: "one draw is enough", help: "Every term is P(z > a) itself; but to divide by it in the weights one must know it." },
    {
      label: `Error of K = ${K}, p`, value: known(report.naive.true_rmse), exact: true, note: known(`200 repeats: ${report.naive.rmse}`),
      help: "Exact relative error of the estimate from K draws of p; below, as measured.",
    },
    {
      label: `Error of K = ${K}, q`, value: known(report.shifted.true_rmse), exact: true, note: known(`200 repeats: ${report.shifted.rmse}`),
      help: "The same for draws of q.",
    },
    {
      label: "Runs without event", value: known(report.naive.nothing), exact: true, note: known(`from p; found ${report.naive.found_nothing}`),
      help: "Exact chance that K draws of p hold no event at all, so that the estimate is zero.",
    },
  ];
}

const says = ({ state, numbers, model }) =>
  `Threshold ${readable(state.a, 1)}, shift ${readable(state.shift, 1)}: 10 % takes ${digits(numbers.shifted.needed)} draws of q${model.withheld ? "" : `, ${digits(numbers.naive.needed)} of p`}.`;

function table({ model }) {
  return [["naive", "shifted", "optimal"], ...Array.from(model.values.naive, (_, i) => [model.values.naive[i], model.values.shifted[i], model.values.optimal[i]])];
}

export default { decode, compute, height, layout, draw, handles, drag, nudge, formula, cards, says, table };
