// Light tails: q is dragged over p; the exact tail index of the weights beside the fitted one, and
// two hundred runs whose intervals should hold the truth.

import { digits, fixed, percent } from "./numbers.js";
import * as pair from "./pair.js";
import { axes, band, line, note, readable, segment, spot } from "./plot.js";
import { kHat, tailIndex } from "./tails.js";
import { ess, integrand, logDensity, maxWeight, normalize, running } from "./weights.js";

const WINDOW = [-7, 7]; // of z
const K_RANGE = [-0.6, 1.5];

export default { decode, compute, height, layout, draw, handles, drag, nudge, formula, cards, says, table };

function decode(meta, arrays) {
  const grid = pair.gridOf(WINDOW);
  const values = Object.fromEntries(Object.entries(arrays).map(([name, { values: held }]) => [name, held]));
  const order = Array.from(values.estimate.keys()).sort((i, j) => values.estimate[i] - values.estimate[j]);
  return { ...meta, ...values, order, grid, p: pair.heights(meta.target, grid) };
}

function compute(state, model) {
  const q = pair.normal(state);
  const K = model.eps.length;
  const [z, logW, f] = [new Float64Array(K), new Float64Array(K), new Float64Array(K)];
  for (let k = 0; k < K; k++) {
    z[k] = state.loc + state.scale * model.eps[k];
    logW[k] = logDensity(model.target, z[k]) - logDensity(q, z[k]);
    f[k] = integrand(model.f, z[k]);
  }
  const path = running(f, logW, model.average === "importance");
  const [estimate, error] = [path.values[K - 1], path.errors[K - 1]];
  return {
    z, logW, f, estimate, error,
    qCurve: pair.heights(q, model.grid),
    w: normalize(logW),
    ess: ess(logW),
    largest: maxWeight(logW),
    kHat: kHat(logW),
    k: tailIndex(model.target, q),
    low: estimate - model.covered * error,
    high: estimate + model.covered * error,
  };
}

function height(width) {
  return pair.narrow(width) ? 870 : 620;
}

function layout({ width }, state, numbers, model) {
  const split = pair.narrow(width);
  const upper = { left: 0, top: 0, width, height: 210 };
  const stems = { top: 226, bottom: 290 };
  const half = split ? width : width / 2 - 8;
  const index = { left: 0, top: 322, width: half, height: split ? 260 : 296 };
  const runs = split ? { left: 0, top: 594, width, height: 274 } : { ...index, left: half + 16 };
  return { upper, stems, index, runs, main: pair.frame(upper, WINDOW, model.p, numbers.qCurve) };
}

function draw(pen, { view, state, numbers, model, tones, mark, fresh }) {
  const on = (term) => (mark === null || mark === term ? 1 : 0.25);
  pair.drawPair(pen, view.main, model.grid, model.p, numbers.qCurve, { tones, on });
  const { tallest } = pair.drawStems(pen, view.main, view.stems, numbers.z, numbers.w, tones, { alpha: on("weights") });
  pair.drawLine(pen, view.main, view.stems.bottom, tones);
  note(pen, "the weights", view.main.left + 4, view.stems.top + 2, { color: tones.weights, bold: true });
  note(pen, `tallest: ${percent(tallest)}`, view.main.left + 4, view.stems.top + 20, { color: tones.muted });
  drawIndex(pen, view.index, { state, numbers, model, tones, fresh, alpha: on("k") });
  drawRuns(pen, view.runs, { numbers, model, tones, fresh });
}

function drawIndex(pen, box, { state, numbers, model, tones, fresh, alpha }) {
  const x = model.limits.scale.map(Math.log10);
  const xTicks = [0.3, 0.5, 0.7, 1, 1.4, 2].map((scale) => [Math.log10(scale), readable(scale)]);
  const scale = axes(
    { pen, ...box },
    { x, y: K_RANGE, xLabel: "width of q (log scale)", title: "Tail index k of the weights", tones, xTicks },
  );
  const { left, right } = scale.box;
  const across = (y, color, dash) => line(pen, scale, [[x[0], y], [x[1], y]], { color, width: 1.5, dash });
  across(model.flags.variance, tones.muted, [2, 4]);
  across(model.flags.trust, tones.muted, [6, 4]);
  const pairs = (values) => Array.from(model.sweep_scale, (each, i) => [Math.log10(each), shown(values[i])]);
  pen.save();
  pen.globalAlpha = fresh || model.state.loc === state.loc ? 1 : 0.4;
  band(pen, scale, pairs(model.sweep_low), pairs(model.sweep_high), { color: tones.weights, alpha: 0.16 });
  line(pen, scale, pairs(model.sweep_k_hat), { color: tones.weights, width: 1.4 });
  pen.restore();
  const exact = Array.from({ length: 60 }, (_, i) => x[0] + (i / 59) * (x[1] - x[0]));
  const curve = exact.map((at) => [at, tailIndex(model.target, { scale: 10 ** at })]);
  line(pen, scale, curve, { color: tones.exact, dash: [8, 4], width: 1.8, alpha });
  const at = scale.toX(Math.log10(state.scale));
  const [found, truth] = [scale.toY(shown(numbers.kHat)), scale.toY(numbers.k)];
  pen.strokeStyle = tones.weights;
  pen.lineWidth = 1;
  segment(pen, at, found, at, truth);
  spot(pen, at, truth, { color: tones.exact, radius: 5, hollow: true });
  spot(pen, at, found, { color: tones.weights, radius: 5.5 });
  if (numbers.kHat < K_RANGE[0]) note(pen, "▾ below", at + 9, found - 4, { color: tones.muted });
  note(pen, "- - exact k", right - 4, scale.box.top + 10, { color: tones.text, align: "right" });
  note(pen, "● k-hat; 90 % of runs", right - 4, scale.box.top + 27, { color: tones.weights, align: "right" });
  const flag = (k) => note(pen, `flag ${readable(k)}`, right - 4, scale.toY(k) - 4, { color: tones.muted, align: "right" });
  flag(model.flags.variance);
  flag(model.flags.trust);
}

const shown = (k) => Math.max(K_RANGE[0], Math.min(K_RANGE[1], k));

// One line for each run, lowest estimate at the bottom. A tick at the right edge: k-hat above the flag.
function drawRuns(pen, box, { numbers, model, tones, fresh }) {
  const { low, high, order, exact } = model;
  const R = order.length;
  const cut = (values, part) => Float64Array.from(values).sort()[Math.round(part * (R - 1))];
  const ends = [Math.min(cut(low, 0.02), exact), Math.max(cut(high, 0.9), exact)];
  const room = 0.06 * (ends[1] - ends[0]);
  const x = [ends[0] - room, ends[1] + 2.5 * room];
  const scale = axes(
    { pen, ...box },
    { x, y: null, xLabel: "estimate", title: `${R} runs, 95 % intervals`, tones },
  );
  const { left, right, top, bottom } = scale.box;
  const toY = (place) => bottom - 4 - ((place + 0.5) / R) * (bottom - 4 - top);
  const inside = (value) => Math.max(left, Math.min(right - 12, scale.toX(value)));
  pen.save();
  pen.globalAlpha = fresh ? 1 : 0.3;
  order.forEach((run, place) => {
    const missed = low[run] > exact || high[run] < exact;
    pen.strokeStyle = missed ? tones.weights : tones.muted;
    pen.lineWidth = missed ? 1.5 : 0.6;
    segment(pen, inside(low[run]), toY(place), inside(high[run]), toY(place));
    if (model.k_hat[run] > model.flags.trust) {
      pen.strokeStyle = tones.text;
      pen.lineWidth = 1;
      segment(pen, right - 7, toY(place), right, toY(place));
    }
  });
  pen.restore();
  pen.save();
  pen.strokeStyle = tones.exact;
  pen.lineWidth = 1.8;
  pen.setLineDash([8, 4]);
  segment(pen, scale.toX(exact), top, scale.toX(exact), bottom);
  pen.restore();
  const mine = toY(order.indexOf(0));
  pen.strokeStyle = tones.proposal;
  pen.lineWidth = 2.5;
  segment(pen, inside(numbers.low), mine, inside(numbers.high), mine);
  spot(pen, inside(numbers.estimate), mine, { color: tones.proposal, radius: 4 });
  note(pen, `k-hat > ${readable(model.flags.trust)}: –`, right, top - 6, { color: tones.text, align: "right" });
  note(pen, "thick: misses", right - 14, bottom - 10, { color: tones.weights, align: "right", halo: tones.background });
}

function handles({ state, model, view }) {
  return pair.handles(state, view.main, model.limits, view.upper.width);
}

function drag(name, point, { state, model, view }) {
  return pair.drag(name, point, state, view.main, model.limits);
}

function nudge(name, steps, { state, model }) {
  return pair.nudge(name, steps, state, model.limits);
}

function formula({ state, numbers, model }) {
  const k = { symbol: "k", value: fixed(numbers.k), term: "k" };
  if (model.target.family !== "normal") {
    return [
      k, { symbol: "= 1, for every width:" },
      { symbol: "p", value: model.target_title, term: "target", role: "target" },
      { symbol: "has heavier tails than any" },
      { symbol: "q", value: "Normal", term: "proposal", role: "proposal" },
    ];
  }
  return [
    k, { symbol: "= max(0, 1 −" },
    { symbol: "s<sub>q</sub>²", value: `${fixed(state.scale)}²`, term: "proposal", role: "proposal" },
    { symbol: "/" },
    { symbol: "s<sub>p</sub>²", value: `${fixed(model.target.scale)}²`, term: "target", role: "target" },
    { symbol: ")" },
    { symbol: "," },
    { symbol: "k̂", value: fixed(numbers.kHat), term: "k", role: "weights" },
    { symbol: "from the largest" },
    { symbol: "w<sub>k</sub>", value: `of ${model.eps.length}`, term: "weights", role: "weights" },
  ];
}

function verdict(kHat, { flags, verdicts }) {
  if (kHat === Infinity) return verdicts.none;
  if (kHat > flags.trust) return verdicts.trust;
  return kHat > flags.variance ? verdicts.variance : verdicts.calm;
}

function cards({ numbers, model, fresh }) {
  const report = fresh ? model.report : null;
  const holds = numbers.low <= model.exact && model.exact <= numbers.high;
  return [
    { label: "Estimate", value: digits(numbers.estimate), note: `exact ${digits(model.exact)}` },
    {
      label: "Reported error", value: `± ${digits(numbers.error)}`,
      note: `its 95 % interval ${holds ? "holds" : "misses"} the truth`,
      help: `From ${digits(numbers.low)} to ${digits(numbers.high)}. The true error is ${model.report.true_std} at the last release.`,
    },
    {
      label: "Exact k", value: fixed(numbers.k),
      note: numbers.k >= model.flags.variance ? "E[w²] is infinite" : "E[w²] is finite",
    },
    { label: "k-hat", value: fixed(numbers.kHat), note: verdict(numbers.kHat, model) },
    {
      label: "Intervals that hold", value: report ? report.coverage : "…",
      note: `of ${model.order.length} runs; promised 95 %`, exact: true,
      help: "How many of the runs report a 95 % interval with the truth inside.",
    },
    {
      label: "Misses without a flag", value: report ? report.unflagged : "…",
      note: report ? report.unflagged_note : "on release", exact: true,
      help: "Runs whose interval misses the truth although their k-hat is no larger than 0.7.",
    },
  ];
}

function says({ numbers, model }) {
  return `Exact tail index ${fixed(numbers.k)}, k-hat ${fixed(numbers.kHat)}. Estimate ${digits(numbers.estimate)}, exact ${digits(model.exact)}. ${model.report.coverage} of the intervals hold the truth.`;
}

function table({ model }) {
  const rows = Array.from(model.estimate, (value, r) => [r + 1, value, model.low[r], model.high[r], model.k_hat[r]]);
  return [["run", "estimate", "low", "high", "k_hat"], ...rows];
}
