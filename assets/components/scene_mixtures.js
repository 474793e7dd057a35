// Two proposals under the hand: the same draws carry single or balance weights; Pareto smoothing and
// resampling are switched on over them. Above: densities. Middle: weights. Below: repeats.

import { bulk, clip, gridOver, ground, narrow, normalHandles, rows, tenTo, within, zAxis } from "./better.js";
import { digits, fixed, percent } from "./numbers.js";
import { curve, extent, line, note, segment, spot } from "./plot.js";
import { copies, kHat, smoothed } from "./tails.js";
import { ess, integrand, logDensity, logMeanExp, running } from "./weights.js";

const WINDOW = [-9, 9];
const LIMITS = { loc: [-6, 6], scale: [0.2, 4] };
const STEP = { loc: 0.05, scale: 0.02 };
const KINDS = ["single", "balance"];
const KIND_TITLES = { single: "single weights, p / own q", balance: "balance weights, p / m" };
const FLOOR = -3; // of the weights, log to base 10
const CEILING = 6;

function decode(meta, arrays) {
  const grid = gridOver(WINDOW);
  const p = grid.map((z) => Math.exp(logDensity(meta.target, z)));
  const values = Object.fromEntries(Object.entries(arrays).map(([name, array]) => [name, array.values]));
  const K = values.eps.length;
  return { ...meta, values, grid, p, K, shares: meta.counts.map((n) => n / K) };
}

const proposalsOf = (state) => [
  { family: "normal", loc: state.loc1, scale: state.scale1 },
  { family: "normal", loc: state.loc2, scale: state.scale2 },
];

function compute(state, model) {
  const { K, shares, counts } = model;
  const q = proposalsOf(state);
  const mixture = { family: "mixture", components: q, weights: shares };
  const [z, f] = [new Float64Array(K), new Float64Array(K)];
  const logW = { single: new Float64Array(K), balance: new Float64Array(K) };
  for (let k = 0; k < K; k++) {
    const own = q[k < counts[0] ? 0 : 1];
    z[k] = own.loc + own.scale * model.values.eps[k];
    f[k] = integrand(model.f, z[k]);
    const logP = logDensity(model.target, z[k]);
    logW.single[k] = logP - logDensity(own, z[k]);
    logW.balance[k] = logP - logDensity(mixture, z[k]);
  }
  const raw = logW[state.weights];
  const alive = raw.some((value) => value > -Infinity);
  const tamed = alive ? smoothed(raw) : raw;
  const copied = alive ? copies(raw, model.offset) : new Float64Array(K);
  const last = (weights, plain) => (alive ? running(f, weights, plain).values[K - 1] : NaN);
  const heights = Array.from(model.grid, (at) => q.map((each, i) => shares[i] * Math.exp(logDensity(each, at))));
  return {
    q, mixture, z, f, logW, raw, alive, tamed, copied, heights,
    after: { raw, smoothed: tamed, resampled: copied.map(Math.log) }[state.then],
    estimates: {
      single: running(f, logW.single, true).values[K - 1],
      balance: running(f, logW.balance, true).values[K - 1],
      smoothed: last(tamed, false),
      resampled: last(copied.map(Math.log), false),
    },
    largest: Math.exp(raw.reduce((most, value) => Math.max(most, value), -Infinity)),
    mean: Math.exp(logMeanExp(raw)),
    ess: alive ? ess(raw) : 0,
    kHat: alive ? kHat(raw) : Infinity,
    different: copied.reduce((count, n) => count + (n > 0), 0),
  };
}

const height = (width) => (narrow(width) ? 770 : 760);

function layout({ width }, state, numbers, model) {
  const upper = { left: 0, top: 0, width, height: 210 };
  const weights = { left: 0, top: 238, width, height: 210 };
  const below = { left: 0, top: 462, width, height: height(width) - 462 };
  const tallest = Math.max(...model.p, ...Array.from(numbers.heights, ([a, b]) => a + b));
  const top = Math.min(tallest * (narrow(width) ? 1.5 : 1.15), 4 * Math.max(...model.p)); // below the names
  return { main: ground(upper, WINDOW, top), upper, weights, below };
}

function draw(pen, { view, state, numbers, model, tones, mark, fresh }) {
  const on = (term) => (mark === null || mark === term ? 1 : 0.25);
  const { main, upper } = view;
  const pairs = (ys) => Array.from(ys, (y, i) => [model.grid[i], y]);
  const [one, two] = [0, 1].map((i) => pairs(Array.from(numbers.heights, (pair) => pair[i])));
  clip(pen, { ...upper, height: upper.height - 3 }, () => {
    curve(pen, main, pairs(model.p), { color: tones.target, fill: 0.13, alpha: on("target") });
    curve(pen, main, pairs(Array.from(numbers.heights, ([a, b]) => a + b)), { color: tones.proposal, fill: 0.1, width: 1.4, alpha: on("mixture") });
    line(pen, main, one, { color: tones.proposal, dash: [9, 5], alpha: on("own") });
    line(pen, main, two, { color: tones.proposal, dash: [3, 4], alpha: on("own") });
  });
  zAxis(pen, main, WINDOW, main.low, tones);
  const [n1, n2] = model.counts;
  note(pen, "p, the target", main.left + 4, 16, { color: tones.target, bold: true });
  note(pen, "m, the mixture of both", main.left + 4, 36, { color: tones.proposal, bold: true });
  note(pen, `q1 (dashed): ${n1} draws`, main.right - 4, 16, { color: tones.proposal, align: "right" });
  note(pen, `q2 (dotted): ${n2} draws`, main.right - 4, 36, { color: tones.proposal, align: "right" });
  drawWeights(pen, view, state, numbers, model, tones, fresh, on);
  drawRows(pen, view.below, state, numbers, model, tones, fresh);
}

const log10 = (logW) => logW / Math.LN10;

function drawWeights(pen, { weights: box, main }, state, numbers, model, tones, fresh, on) {
  const bound = model.report[state.weights].largest;
  const most = Math.max(log10(Math.log(numbers.largest)), fresh && bound ? Math.log10(bound) : 0, 1);
  const high = Math.min(CEILING, most + 0.6);
  const [top, bottom] = [box.top + 40, box.top + box.height - 6];
  const toY = (value) => bottom - ((Math.max(FLOOR, Math.min(high, value)) - FLOOR) / (high - FLOOR)) * (bottom - top);
  const scale = { toX: main.toX, toY };
  for (let power = FLOOR + 1; power <= high; power++) {
    pen.strokeStyle = tones.grid;
    segment(pen, main.left, toY(power), main.right, toY(power));
    if (power % 2 === 0 || high - FLOOR < 6) note(pen, tenTo(power), main.right, toY(power) - 3, { color: tones.muted, align: "right" });
  }
  note(pen, `The weights: ${KIND_TITLES[state.weights]}`, main.left + 4, box.top + 14, { color: tones.weights, bold: true });
  if (!narrow(box.width)) note(pen, "log scale; 1 is a fair share", main.left + 4, box.top + 32, { color: tones.muted });
  // What a draw at z would weigh.
  const weightOf = (q) => Array.from(model.grid, (z) => [z, log10(logDensity(model.target, z) - logDensity(q, z))]);
  clip(pen, { left: main.left, top, width: main.right - main.left, height: bottom - top }, () => {
    if (state.weights === "balance") {
      line(pen, scale, inside(weightOf(numbers.mixture), high), { color: tones.weights, width: 1.2, alpha: 0.8 });
    } else {
      numbers.q.forEach((q, i) => line(pen, scale, inside(weightOf(q), high), { color: tones.weights, width: 1.2, dash: i ? [3, 4] : [9, 5], alpha: 0.8 }));
    }
  });
  if (fresh && bound && Math.log10(bound) <= high) {
    const y = toY(Math.log10(bound));
    line(pen, { toX: (x) => x, toY: (v) => v }, [[main.left, y], [main.right, y]], { color: tones.exact, width: 1.5, dash: [8, 4] });
    note(pen, `no weight exceeds ${model.report[state.weights].largest_text}`, main.right - 42, y - 5, { color: tones.text, align: "right" });
  } else if (fresh) {
    const text = bound ? `no weight exceeds ${model.report[state.weights].largest_text}, far above` : "no bound: a weight can be as large as it likes";
    note(pen, text, main.right - 44, box.top + 32, { color: tones.text, align: "right" });
  }
  pen.strokeStyle = tones.muted;
  segment(pen, main.left, bottom, main.right, bottom);
  drawDraws(pen, main, toY, state, numbers, model, tones, on("weights"));
}

// Beyond the panel a line would be drawn along its edge: it is left out there.
const inside = (points, high) => points.map(([z, y]) => [z, y > FLOOR && y < high + 0.2 ? y : NaN]);

function drawDraws(pen, main, toY, state, numbers, model, tones, alpha) {
  const changed = state.then !== "raw";
  pen.save();
  for (let k = 0; k < model.K; k++) {
    const x = main.toX(numbers.z[k]);
    if (x < main.left || x > main.right) continue;
    const [before, after] = [toY(log10(numbers.raw[k])), toY(log10(numbers.after[k]))];
    pen.globalAlpha = alpha * (changed ? 0.35 : 0.7);
    const moved = changed && Math.abs(before - after) > 1;
    if (moved) {
      pen.strokeStyle = tones.muted;
      pen.lineWidth = 1;
      segment(pen, x, before, x, after);
      spot(pen, x, before, { color: tones.weights, radius: 2.4, hollow: true });
    }
    pen.globalAlpha = alpha * (numbers.after[k] > -Infinity ? 0.75 : 0.3);
    spot(pen, x, after, { color: moved ? tones.bound : tones.weights, radius: 2.8 });
  }
  pen.restore();
}

function drawRows(pen, box, state, numbers, model, tones, fresh) {
  const list = [
    ["single", "raw", "single weights", "single"],
    ["balance", "raw", "balance heuristic", "balance"],
    [state.weights, "smoothed", `${state.weights}, Pareto smoothed`, "smoothed"],
    [state.weights, "resampled", `${state.weights}, resampled`, "resampled"],
  ].map(([kind, treatment, title, name]) => ({
    title,
    text: fresh ? `error ${model.report[kind].rmse[treatment]}` : "",
    values: model.values[`${kind}_${treatment}`],
    color: name === "single" || name === "balance" ? tones.weights : tones.bound,
    alpha: fresh ? 0.6 : 0.15,
    mark: numbers.estimates[name],
  }));
  if (model.withheld) {
    note(pen, "Predict first, above:", box.left + 8, box.top + 24, { color: tones.text, bold: true });
    note(pen, "200 runs come with your answer.", box.left + 8, box.top + 44, { color: tones.text });
    return;
  }
  const ends = list.flatMap((row) => [...bulk(row.values), row.mark].filter(Number.isFinite));
  note(pen, "200 repeats; ring: the run above", box.left + 2, box.top + 14, { color: tones.text, bold: true });
  rows(
    pen,
    { ...box, top: box.top + 20, height: box.height - 20 },
    extent([...ends, model.exact], 0.08),
    list,
    { tones, exact: model.exact, exactText: `exact ${model.exact_text}`, xLabel: `estimate of the mean of ${model.f_title}` },
  );
}

function handles({ state, numbers, model, view }) {
  return [0, 1].flatMap((i) => {
    const [loc, scale] = [state[`loc${i + 1}`], state[`scale${i + 1}`]];
    const density = (z) => model.shares[i] * Math.exp(logDensity(numbers.q[i], z));
    const names = { loc: `loc${i + 1}`, scale: `scale${i + 1}` };
    return normalHandles(view.main, { loc, scale, names, title: `q${i + 1}`, limits: LIMITS, height: density });
  });
}

function drag(name, point, { state, view }) {
  const z = view.main.toZ(point.x);
  if (name.startsWith("loc")) return { ...state, [name]: within(LIMITS.loc, z) };
  return { ...state, [name]: within(LIMITS.scale, z - state[name.replace("scale", "loc")]) };
}

function nudge(name, steps, { state }) {
  const kind = name.slice(0, -1);
  return { ...state, [name]: within(LIMITS[kind], state[name] + steps * STEP[kind]) };
}

const buttons = ({ state }) => [
  { name: "single", label: "Single weights", pressed: state.weights === "single" },
  { name: "balance", label: "Balance heuristic", pressed: state.weights === "balance" },
  { name: "smoothed", label: "Pareto smoothing", pressed: state.then === "smoothed" },
  { name: "resampled", label: "Resampling", pressed: state.then === "resampled" },
];

function press(name, { state }) {
  if (KINDS.includes(name)) return { ...state, weights: name };
  return { ...state, then: state.then === name ? "raw" : name };
}

function formula({ state, numbers, model }) {
  const balance = state.weights === "balance";
  const share = (i) => percent(model.shares[i]);
  const below = balance
    ? [
        { symbol: "m(z<sub>k</sub>)", value: `${share(0)} q1 + ${share(1)} q2`, term: "mixture", role: "proposal" },
      ]
    : [{ symbol: "q<sub>i</sub>(z<sub>k</sub>)", value: "the one it came from", term: "own", role: "proposal" }];
  return [
    { symbol: "w<sub>k</sub>", value: model.withheld ? "mean ?" : `mean ${digits(numbers.mean)}`, term: "weights", role: "weights" },
    { symbol: "=" },
    { symbol: "p(z<sub>k</sub>)", value: "target", term: "target", role: "target" },
    { symbol: "/" },
    ...below,
  ];
}

function cards({ state, numbers, model, fresh }) {
  const known = (text) => (fresh ? text : "…");
  const { report } = model;
  const name = state.then === "raw" ? state.weights : state.then;
  const kept = state.then === "resampled" ? `${numbers.different} different draws kept` : `of ${model.K}`;
  return [
    model.withheld
      ? { label: "Estimate", value: "?", note: "predict first, above" }
      : { label: "Estimate", value: digits(numbers.estimates[name]), note: `exact ${model.exact_text}` },
    {
      label: "Largest weight", value: digits(numbers.largest), note: known(`never above ${report[state.weights].largest_text}`),
      help: "Of these draws, before smoothing or resampling; below, the exact supremum over all z.",
    },
    { label: "ESS", value: digits(numbers.ess), note: kept },
    {
      label: "k-hat", value: fixed(numbers.kHat), note: "of the raw weights",
      help: "Tail shape of the weights, fitted to the largest draws. It cannot see a mode that no draw has found.",
    },
    {
      label: "Error, single", value: known(report.single.true_std), exact: true, note: known(`200 repeats: ${report.single.rmse.raw}`),
      help: "Exact standard deviation of the estimate with single weights. Repeats may all miss what makes it so large.",
    },
    {
      label: "Error, balance", value: known(report.balance.true_std), exact: true, note: known(`200 repeats: ${report.balance.rmse.raw}`),
      help: "Exact standard deviation with balance weights, by quadrature.",
    },
  ];
}

const says = ({ state, numbers, model }) =>
  `${model.withheld ? "" : `Estimate ${digits(numbers.estimates[state.then === "raw" ? state.weights : state.then])}, exact ${model.exact_text}; `}largest weight ${digits(numbers.largest)}.`;

function table({ numbers, model }) {
  const head = ["z", "proposal", "log_w_single", "log_w_balance", "log_w_smoothed", "copies"];
  return [head, ...Array.from(numbers.z, (z, k) => [z, k < model.counts[0] ? 1 : 2, numbers.logW.single[k], numbers.logW.balance[k], numbers.tamed[k], numbers.copied[k]])];
}

export default { decode, compute, height, layout, draw, handles, drag, nudge, buttons, press, formula, cards, says, table };
