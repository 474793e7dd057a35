// Plain against self-normalized: q is dragged, 48 runs of both averages move with it; K is dragged
// along the errors' own axis. Above: p and q. Below: the runs, and bias and spread against K.

import { bulk, clip, gridOver, ground, logAxes, measured, narrow, normalHandles, rows, within, zAxis } from "./better.js";
import { digits, percent } from "./numbers.js";
import { curve, extent, line, note } from "./plot.js";
import { integrand, logDensity, mean, meanAndError, running } from "./weights.js";

const WINDOW = [-6, 8];
const LOC = [-6, 6];
const SCALE = [0.2, 4];
const STEP = { loc: 0.05, scale: 0.02 };

function decode(meta, arrays) {
  const grid = gridOver(WINDOW);
  const p = grid.map((z) => Math.exp(logDensity(meta.target, z)));
  const named = Object.fromEntries(Object.entries(arrays).map(([name, array]) => [name, array.values]));
  return { ...meta, ...named, grid, p };
}

const proposal = (state) => ({ family: "normal", loc: state.ratio_loc, scale: state.ratio_scale });
const factorOf = (state, model) => (state.factor ? model.factor : 1);

function compute(state, model) {
  const { ratio_K: K } = state;
  const q = proposal(state);
  const logFactor = Math.log(factorOf(state, model));
  const [plain, ratio] = [[], []];
  let first = null;
  for (let run = 0; run < model.n_runs; run++) {
    const [f, logW] = [new Float64Array(K), new Float64Array(K)];
    for (let k = 0; k < K; k++) {
      const z = state.ratio_loc + state.ratio_scale * model.eps[run * K + k];
      f[k] = integrand(model.f, z);
      logW[k] = logFactor + logDensity(model.target, z) - logDensity(q, z);
    }
    plain.push(running(f, logW, true).values[K - 1]);
    ratio.push(running(f, logW, false).values[K - 1]);
    first ??= { sum: mean(logW.map(Math.exp)), top: plain[0] };
  }
  const seen = ratio.filter(Number.isFinite);
  return {
    q, plain, ratio, first,
    spread: [spreadOf(plain), spreadOf(seen)],
    means: [mean(plain), seen.length ? mean(seen) : NaN],
    i: model.n_samples.indexOf(K),
    qCurve: model.grid.map((z) => Math.exp(logDensity(q, z))),
  };
}

const spreadOf = (values) => (values.length > 1 ? meanAndError(values).error * Math.sqrt(values.length) : NaN);

const height = (width) => (narrow(width) ? 800 : 590);

function layout({ width, height: tall }, state, numbers, model) {
  const split = narrow(width);
  const upper = { left: 0, top: 0, width, height: split ? 220 : 250 };
  const highest = Math.max(...model.p);
  const top = Math.min(Math.max(highest, ...numbers.qCurve) * 1.15, 3 * highest);
  const below = upper.height + 34;
  const half = width / 2;
  const runs = split
    ? { left: 0, top: below, width, height: 210 }
    : { left: 0, top: below, width: half - 10, height: tall - below };
  const errors = split
    ? { left: 0, top: below + 224, width, height: tall - below - 224 }
    : { left: half + 6, top: below, width: half - 6, height: tall - below };
  return { main: ground(upper, WINDOW, top), upper, runs, errors, scale: null };
}

function draw(pen, { view, state, numbers, model, tones, mark, fresh }) {
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
  if (state.factor) note(pen, `known as ${model.factor} p only`, main.left + 4, 56, { color: tones.muted });
  drawRuns(pen, view.runs, state, numbers, model, tones, on);
  view.scale = drawErrors(pen, view.errors, state, numbers, model, tones, fresh ? on("errors") : 0.3, fresh);
}

function drawRuns(pen, box, state, numbers, model, tones, on) {
  const { exact } = model;
  const ends = [...bulk(numbers.plain), ...bulk(numbers.ratio), exact, exact * factorOf(state, model)];
  const spread = (i) => `mean ${digits(numbers.means[i])}, spread ${digits(numbers.spread[i])}`;
  note(pen, `${model.n_runs} runs of K = ${state.ratio_K}`, box.left + 2, box.top + 14, { color: tones.text, bold: true });
  rows(
    pen,
    { ...box, top: box.top + 20, height: box.height - 20 },
    extent(ends, 0.12),
    [
      { title: "plain", text: spread(0), values: numbers.plain, color: tones.weights, alpha: 0.75 * on("plain") },
      { title: "ratio", text: spread(1), values: numbers.ratio, color: tones.bound, alpha: 0.75 * on("ratio") },
    ],
    { tones, exact, exactText: `exact ${model.exact_text}`, xLabel: "estimate" },
  );
}

const SIGNIFICANT = 2; // standard errors

function drawErrors(pen, box, state, numbers, model, tones, alpha, fresh) {
  const { n_samples: K, bias, bias_error: biasError, leading_bias: leading } = model;
  const factor = factorOf(state, model);
  const std = (values) => Array.from(values, Math.sqrt);
  const [plain, ratio, limit] = [std(model.plain_variance).map((s) => factor * s), std(model.variance), std(model.leading_variance)];
  const off = Math.abs((factor - 1) * model.exact);
  const shown = [...plain, ...ratio, ...limit, ...Array.from(leading, Math.abs), off].filter((v) => v > 0 && Number.isFinite(v));
  const significant = Array.from(bias, Math.abs).filter((b, i) => b > SIGNIFICANT * biasError[i]);
  const logs = [...shown, ...significant].map(Math.log10);
  const [low, high] = logs.length ? [Math.min(...logs) - 0.35, Math.max(...logs) + 0.1] : [-2, 0];
  const y = [low, high + 0.3 * (high - low)]; // room for the names of the curves
  const xs = Array.from(K, Math.log2);
  const xTicks = Array.from(K, (k, i) => [xs[i], String(k)]).filter((_, i) => i % 2 === 0);
  const scale = logAxes({ pen, ...box }, { x: [-0.3, xs[xs.length - 1] + 0.3], y, tones, xTicks, xLabel: "K, draws in a run", title: "Errors against K", handled: true });
  const path = (values) => Array.from(values, (value, i) => [xs[i], value > 0 ? Math.log10(value) : NaN]);
  pen.save();
  pen.globalAlpha = alpha;
  pen.beginPath();
  pen.rect(scale.box.left, scale.box.top, scale.box.right - scale.box.left, scale.box.bottom - scale.box.top);
  pen.clip();
  line(pen, scale, path(plain), { color: tones.weights, width: 2.5 });
  line(pen, scale, path(limit), { color: tones.exact, width: 1.5, dash: [8, 4] });
  line(pen, scale, path(Array.from(leading, Math.abs)), { color: tones.exact, width: 1.5, dash: [2, 4] });
  if (off > 0) line(pen, scale, path(Array.from(K, () => off)), { color: tones.weights, width: 1.5, dash: [6, 3] });
  pen.restore();
  pen.save();
  pen.globalAlpha = alpha;
  K.forEach((_, i) => {
    const log = (value) => Math.log10(Math.max(value, 1e-300));
    const spreadError = model.variance_error[i] / (2 * ratio[i]); // of a root, by its slope
    if (Number.isFinite(spreadError)) {
      measured(pen, scale, xs[i], log(ratio[i] - 2 * spreadError), log(ratio[i]), log(ratio[i] + 2 * spreadError), { color: tones.bound });
    }
    const [b, e] = [Math.abs(bias[i]), biasError[i]];
    if (Number.isFinite(e)) measured(pen, scale, xs[i], log(b - 2 * e), log(b), log(b + 2 * e), { color: tones.bound, square: true, hollow: b < SIGNIFICANT * e });
  });
  pen.restore();
  line(pen, scale, [[Math.log2(state.ratio_K), y[0]], [Math.log2(state.ratio_K), high]], { color: tones.muted, width: 1, dash: [2, 3] });
  labels(pen, scale, { plain, limit, leading, off, factor }, tones, fresh ? 1 : 0.3);
  return scale;
}

// What the marks mean, in the order of the curves' heights at K = 1.
function labels(pen, scale, { plain, limit, leading, off, factor }, tones, alpha) {
  const wanted = [
    [plain[0], factor === 1 ? "─ plain: spread, exact" : `─ plain, from ${factor} p: spread`, tones.weights],
    [limit[0], "● ratio: spread; dashed: for many draws", tones.bound],
    [Math.abs(leading[0]), "■ ratio: bias; dotted: its 1/K law", tones.bound],
    [off, "╌ plain: bias, for ever", tones.weights],
  ].filter(([value]) => value > 0);
  pen.save();
  pen.globalAlpha = alpha;
  wanted.forEach(([, text, color], i) => {
    note(pen, text, scale.box.right - 4, scale.box.top + 12 + 17 * i, { color, align: "right", halo: tones.background });
  });
  pen.restore();
}

function handles({ state, numbers, model, view }) {
  const density = (z) => Math.exp(logDensity(numbers.q, z));
  const K = {
    name: "K", label: "K, draws in a run", tone: "bound", shape: "tall",
    x: view.scale.toX(Math.log2(state.ratio_K)), y: view.scale.box.bottom,
    value: state.ratio_K, low: 1, high: model.n_samples[model.n_samples.length - 1], text: `K = ${state.ratio_K}`,
  };
  return [
    ...normalHandles(view.main, {
      loc: state.ratio_loc, scale: state.ratio_scale, title: "q", height: density,
      names: { loc: "peak", scale: "width" }, limits: { loc: LOC, scale: SCALE },
    }),
    K,
  ];
}

const stop = (model, i) => model.n_samples[Math.max(0, Math.min(model.n_samples.length - 1, i))];

function drag(name, point, { state, model, view }) {
  if (name === "K") {
    const { box } = view.scale;
    const part = (point.x - view.scale.toX(0)) / (view.scale.toX(1) - view.scale.toX(0));
    return box ? { ...state, ratio_K: stop(model, Math.round(part)) } : state;
  }
  const z = view.main.toZ(point.x);
  if (name === "peak") return { ...state, ratio_loc: within(LOC, z) };
  return { ...state, ratio_scale: within(SCALE, z - state.ratio_loc) };
}

function nudge(name, steps, { state, numbers, model }) {
  if (name === "K") return { ...state, ratio_K: stop(model, numbers.i + Math.sign(steps)) };
  if (name === "peak") return { ...state, ratio_loc: within(LOC, state.ratio_loc + steps * STEP.loc) };
  return { ...state, ratio_scale: within(SCALE, state.ratio_scale + steps * STEP.scale) };
}

const buttons = ({ state, model }) => [
  { name: "factor", label: `Forget p's constant (use ${model.factor} p)`, pressed: Boolean(state.factor) },
];

const press = (name, { state }) => ({ ...state, factor: !state.factor });

function formula({ numbers }) {
  const sum = "<span class='sum'>Σ</span><sub>k</sub>";
  const [w, f] = ["w<sub>k</sub>", "f(z<sub>k</sub>)"];
  return [
    { symbol: "μ̂", value: `plain, run 1: ${digits(numbers.first.top)}`, term: "plain", role: "weights" },
    { symbol: "=" },
    { symbol: `1/K ${sum} ${w} ${f}`, term: "plain", role: "weights" },
    { symbol: "," },
    { symbol: "μ̃", value: `ratio, run 1: ${digits(numbers.ratio[0])}`, term: "ratio", role: "bound" },
    { symbol: "=" },
    { symbol: "μ̂", value: digits(numbers.first.top), term: "plain", role: "weights" },
    { symbol: "/" },
    { symbol: `1/K ${sum} ${w}`, value: `mean weight ${digits(numbers.first.sum)}`, term: "ratio", role: "weights" },
  ];
}

function cards({ state, numbers, model, fresh }) {
  const { i } = numbers;
  const factor = factorOf(state, model);
  const known = (text) => (fresh ? text : "…");
  const spread = Math.sqrt(model.variance[i]);
  const limit = Math.sqrt(model.leading_variance[i]);
  const measuredSpread = Number.isFinite(spread) ? digits(spread) : "?";
  const shareOf = (bias, variance) => percent((bias * bias) / (bias * bias + variance));
  return [
    {
      label: "Spread, plain", value: known(digits(factor * Math.sqrt(model.plain_variance[i]))), exact: true,
      note: known(factor === 1 ? "exact; bias exactly 0" : `exact; off by ${digits((factor - 1) * model.exact)}`),
      help: "Standard deviation of the plain estimate from K draws, by quadrature.",
    },
    {
      label: "Spread, ratio", value: known(measuredSpread), exact: true, note: known(`leading term ${digits(limit)}`),
      help: "Measured on many thousand draws cut into runs of K. Below: what holds for many draws.",
    },
    {
      label: "Bias, ratio", value: known(digits(model.bias[i])), exact: true,
      note: known(`± ${digits(model.bias_error[i], 2)}; leading ${digits(model.leading_bias[i])}`),
      help: "Measured, with its standard error, beside the exact leading term, which is a constant over K.",
    },
    {
      label: "Share of bias", value: known(shareOf(model.bias[i], model.variance[i])), exact: true,
      note: known("of the mean squared error"),
      help: "Bias² / (bias² + spread²) of the ratio, as measured.",
    },
  ];
}

const says = ({ state, numbers, model }) =>
  `K = ${state.ratio_K}: spread of the ratio ${digits(Math.sqrt(model.variance[numbers.i]))}, bias ${digits(model.bias[numbers.i])}.`;

function table({ model }) {
  const names = ["n_samples", "plain_variance", "variance", "variance_error", "leading_variance", "bias", "bias_error", "leading_bias"];
  return [names, ...Array.from(model.n_samples, (_, i) => names.map((name) => model[name][i]))];
}

export default { decode, compute, height, layout, draw, handles, drag, nudge, buttons, press, formula, cards, says, table };
