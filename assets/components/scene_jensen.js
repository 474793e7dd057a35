// Jensen's inequality under the microscope: a mean of K weights goes through the log, spread and K are
// dragged, and the log of the mean and the mean of the log part.

import { digits, fixed, percent } from "./numbers.js";
import { axes, line, note, segment, spot, ticks } from "./plot.js";
import { mean, meanOfRuns, ratioVariance, runsOfRatios } from "./weights.js";

const STOPS = [1, 2, 4, 8, 16, 32, 64];
const RATIO = [0, 4]; // of the mean weight over p(x): the same for every spread, so that it is seen
const BINS = 48;
const LAWS = { lognormal: "Lognormal weights", bounded: "Bounded (q too wide)", pareto: "Heavy-tailed (q too narrow)" };
const STEP = 0.05;

function decode(meta, { noise, curve_n: K, curve_gap: gap }) {
  return { ...meta, noise: noise.values, n_runs: noise.shape[1], curveK: K.values, curveGap: gap.values };
}

// A law that was just chosen has noise of its own: until it comes the old law stays in the picture.
const settings = (state, model) => ({
  law: model.law, K: Number(state.mean_of), sigma: Math.min(state.sigma, model.most[model.law]),
});

function compute(state, model) {
  const { law, sigma, K } = settings(state, model);
  const single = runsOfRatios(law, sigma, model.noise, model.n_runs, K);
  const variance = ratioVariance(law, sigma);
  const found = meanOfRuns(single, 0, variance / K);
  return {
    law, sigma, K, single, variance, ratios: single.map(Math.exp),
    hat: -found.mean, error: found.error, approximation: variance / (2 * K), average: mean(single),
  };
}

const narrow = (width) => width < 760;
const height = (width) => (narrow(width) ? 776 : 470);

function layout({ pen, width, height: tall }, state, numbers, model) {
  const split = narrow(width);
  const gap = shown(numbers, model, state);
  const wide = split ? width : Math.round(width * 0.56);
  const lens = { pen, left: 0, top: 0, width: wide, height: split ? 420 : tall - 50 };
  const decay = split
    ? { pen, left: 0, top: 516, width: width - 6, height: tall - 516 }
    : { pen, left: wide + 20, top: 0, width: width - wide - 26, height: tall - 6 };
  const track = { left: 22, right: wide - 22, y: lens.height + (split ? 40 : 26) };
  return { lens, decay, track, gap, range: [-Math.max(3, 1.25 * gap + 0.4), Math.log(RATIO[1]) + 0.25] };
}

// The exact gap where it belongs to the state on screen, else that of the runs in the browser.
function shown(numbers, model, state) {
  return isFresh(numbers, model, state) ? model.report.gap : Math.max(0, numbers.hat);
}

const isFresh = (numbers, model, state) =>
  state.law === model.law && numbers.K === model.report.K && numbers.sigma === model.report.sigma;

function draw(pen, { view, state, numbers, model, tones, mark }) {
  const on = (term) => (mark === null || mark === term ? 1 : 0.25);
  drawLens(pen, view, numbers, tones, on);
  drawTrack(pen, view.track, numbers, model, state, tones);
  drawDecay(pen, view, state, numbers, model, tones, on);
}

function drawLens(pen, view, numbers, tones, on) {
  const { gap, range } = view;
  const scale = axes(view.lens, { x: RATIO, y: range, xLabel: "mean of K weights, over p(x)", title: "Through the log: from r to log r, nats", tones });
  const { toX, toY, box } = scale;
  drawBins(pen, scale, numbers.ratios, RATIO, tones.weights, 0.28 * on("ratios"), false);
  drawBins(pen, scale, numbers.single, range, tones.bound, 0.28 * on("logs"), true);
  pen.save();
  pen.beginPath();
  pen.rect(box.left, box.top, box.right - box.left, box.bottom - box.top);
  pen.clip();
  const curve = Array.from({ length: 241 }, (_, i) => (i / 240) * RATIO[1]).map((r) => [r, Math.log(r)]);
  line(pen, scale, curve, { color: tones.muted, width: 2.5 });
  numbers.single.subarray(0, 80).forEach((run, i) => {
    pen.globalAlpha = 0.5 * on("ratios");
    spot(pen, toX(numbers.ratios[i]), toY(run), { color: tones.weights, radius: 3.5 });
  });
  pen.globalAlpha = 1;
  line(pen, scale, [[1, range[0]], [1, 0], [0, 0]], { color: tones.exact, width: 2, dash: [8, 4], alpha: on("exact") });
  line(pen, scale, [[1, -gap], [0, -gap]], { color: tones.bound, width: 2.5, alpha: on("logs") });
  pen.restore();
  arrowHead(pen, box.left + 1, toY(0), -1, tones.exact, on("exact"));
  arrowHead(pen, box.left + 1, toY(-gap), -1, tones.bound, on("logs"));
  drawGap(pen, toX(1), toY(0), toY(-gap), tones.bound, on("gap"));
  const name = halo(pen, tones);
  name("log of the mean = 0", toX(1.08), toY(0) + (gap > 0.35 ? 15 : -9), { color: tones.text });
  const low = Math.max(toY(-gap), toY(0) + 34);
  name(`mean of the log = ${fixed(-gap, 3)}`, toX(1.08), low + 5, { color: tones.bound });
  const beyond = numbers.ratios.filter((r) => r > RATIO[1]).length;
  if (beyond) note(pen, `${beyond} of ${numbers.ratios.length} ▸`, box.right - 4, box.bottom - 6, { color: tones.muted, align: "right" });
}

// Names that other marks may lie below.
const halo = (pen, tones) => (text, x, y, style) =>
  note(pen, text, x, y, { ...style, bold: true, halo: tones.background });

// A histogram from the lower axis upwards, or from the left axis to the right.
function drawBins(pen, { toX, toY, box }, values, [low, high], color, alpha, sideways) {
  const counts = new Array(BINS).fill(0);
  for (const value of values) {
    const bin = Math.floor(((value - low) / (high - low)) * BINS);
    if (bin >= 0 && bin < BINS) counts[bin]++;
  }
  const most = Math.max(...counts, 1);
  const reach = 0.3 * (sideways ? box.right - box.left : box.bottom - box.top);
  pen.save();
  pen.fillStyle = color;
  pen.globalAlpha = alpha;
  counts.forEach((count, i) => {
    const [from, to] = [low + (i * (high - low)) / BINS, low + ((i + 1) * (high - low)) / BINS];
    const size = (count / most) * reach;
    if (sideways) pen.fillRect(box.left, toY(to), size, toY(from) - toY(to) - 1);
    else pen.fillRect(toX(from), box.bottom - size, toX(to) - toX(from) - 1, size);
  });
  pen.restore();
}

function arrowHead(pen, x, y, side, color, alpha) {
  pen.save();
  pen.globalAlpha = alpha;
  pen.fillStyle = color;
  pen.beginPath();
  pen.moveTo(x, y);
  pen.lineTo(x - side * 9, y - 5);
  pen.lineTo(x - side * 9, y + 5);
  pen.fill();
  pen.restore();
}

function drawGap(pen, x, high, low, color, alpha) {
  if (low - high < 2) return;
  pen.save();
  pen.globalAlpha = alpha;
  pen.strokeStyle = color;
  pen.lineWidth = 5;
  segment(pen, x, high, x, low);
  pen.restore();
}

// The spread as a track to drag on; beyond the mark the approximation is off for this K.
function drawTrack(pen, track, { law, sigma, K }, model, state, tones) {
  const most = model.most[law];
  const toX = (value) => track.left + (value / most) * (track.right - track.left);
  pen.lineCap = "round";
  pen.lineWidth = 4;
  pen.strokeStyle = tones.grid;
  segment(pen, track.left, track.y, track.right, track.y);
  const from = model.report.breaks_from;
  if (from !== null && model.report.K === K && state.law === law && from < most) {
    pen.save();
    pen.strokeStyle = tones.muted;
    pen.setLineDash([1, 7]);
    segment(pen, toX(from), track.y, track.right, track.y);
    pen.restore();
    const what = track.right - track.left < 400 ? "" : "approximation ";
    note(pen, `dotted: ${what}> 10 % off`, track.right, track.y + 34, { color: tones.muted, align: "right" });
  }
  pen.lineCap = "butt";
  note(pen, `spread σ = ${fixed(sigma)} nats`, track.left - 10, track.y + 34, { color: tones.weights, bold: true });
}

function drawDecay(pen, view, state, numbers, model, tones, on) {
  const fresh = isFresh(numbers, model, state);
  const { curveK, curveGap } = model;
  const log = (value) => (value > 0 ? Math.log10(value) : NaN);
  const approximation = Array.from(curveK, (K) => numbers.variance / (2 * K));
  const seen = [...curveGap, view.gap, ...approximation].filter((value) => value > 1e-9 && value < 1e4);
  const y = seen.length ? [log(Math.min(...seen)) - 0.3, log(Math.max(...seen)) + 0.3] : [-3, 0];
  const powers = [0, 1, 2, 3].map((power) => [power, String(10 ** power)]);
  const scale = axes(view.decay, {
    x: [0, log(curveK[curveK.length - 1])], y, xLabel: "K, weights in the mean (log scale)",
    title: "Gap in nats (log scale)", tones, xTicks: powers, handled: true,
    yTicks: ticks(...y, 6).filter(Number.isInteger).map((power) => [power, digits(10 ** power, 1)]),
  });
  view.scale = scale;
  const { box } = scale;
  const until = model.report.breaks_until; // null: for every K
  if (fresh && until !== 0) {
    const right = until === null ? box.right : scale.toX(log(until));
    pen.save();
    pen.globalAlpha = 0.13;
    pen.fillStyle = tones.muted;
    pen.fillRect(box.left, box.top, right - box.left, box.bottom - box.top);
    pen.restore();
    note(pen, "gray: approximation off by > 10 %", box.left + 6, box.bottom - 8, { color: tones.muted });
  }
  pen.save();
  pen.beginPath();
  pen.rect(box.left, box.top, box.right - box.left, box.bottom - box.top);
  pen.clip();
  const points = (values) => Array.from(values, (value, i) => [log(curveK[i]), log(value)]);
  line(pen, scale, points(approximation), { color: tones.muted, width: 2, dash: [7, 4], alpha: on("approximation") });
  line(pen, scale, points(curveGap), { color: tones.bound, width: 3, alpha: (fresh || state.law === model.law && numbers.sigma === model.report.sigma ? 1 : 0.3) * on("gap") });
  pen.restore();
  const labels = halo(pen, tones);
  const right = { align: "right" };
  labels("exact gap", box.right - 4, box.top + 16, { color: tones.bound, ...right });
  const told = Number.isFinite(numbers.variance) ? "dashed: Var(w) / (2K mean²)" : "Var(w) is infinite: no 1/K line";
  labels(told, box.right - 4, box.top + 34, { color: tones.muted, ...right });
}

const trackX = ({ track }, model, law, sigma) => track.left + (sigma / model.most[law]) * (track.right - track.left);

function handles({ numbers, model, view }) {
  const { law, sigma, K } = numbers;
  const { toX, toY, box } = view.scale;
  const y = view.gap > 0 ? toY(Math.log10(view.gap)) : box.bottom;
  return [
    {
      name: "sigma", label: "Spread of one log weight", tone: "weights", shape: "wide",
      x: trackX(view, model, law, sigma), y: view.track.y,
      value: sigma, low: 0, high: model.most[law], text: `${fixed(sigma)} nats`,
    },
    {
      name: "K", label: "K, weights in the mean", tone: "bound",
      x: toX(Math.log10(K)), y: Math.min(box.bottom, Math.max(box.top, y)),
      value: K, low: 1, high: STOPS[STOPS.length - 1], text: `K = ${K}, gap ${digits(view.gap)} nats`,
    },
  ];
}

function spread(state, sigma, { model }) {
  const rounded = Math.round(sigma / STEP) * STEP;
  return { ...state, sigma: +Math.max(0, Math.min(model.most[model.law], rounded)).toFixed(2) };
}

const onStop = (state, stop) => ({ ...state, mean_of: STOPS[Math.max(0, Math.min(STOPS.length - 1, stop))] });

function drag(name, point, context) {
  const { state, numbers, model, view } = context;
  if (name === "sigma") {
    const part = (point.x - view.track.left) / (view.track.right - view.track.left);
    return spread(state, part * model.most[numbers.law], context);
  }
  const { toX } = view.scale;
  const decade = (toX(1) - toX(0)) * Math.log10(2);
  return onStop(state, Math.round((point.x - toX(0)) / decade));
}

function nudge(name, steps, context) {
  const { state, numbers } = context;
  if (name === "sigma") return spread(state, numbers.sigma + steps * STEP, context);
  return onStop(state, STOPS.indexOf(numbers.K) + Math.sign(steps));
}

const buttons = ({ state }) =>
  Object.entries(LAWS).map(([name, label]) => ({ name, label, pressed: state.law === name }));

const press = (law, { state, model }) => ({ ...state, law, sigma: Math.min(state.sigma, model.most[law]) });

function formula({ numbers, view }) {
  return [
    { symbol: "gap", value: view ? digits(view.gap) : "", term: "gap", role: "bound" },
    { symbol: "=" },
    { symbol: "log mean r", value: "0", term: "exact", role: "exact" },
    { symbol: "−" },
    { symbol: "mean log r", value: view ? fixed(-view.gap, 3) : "", term: "logs", role: "bound" },
    { symbol: "≈" },
    { symbol: "Var(w) / (2K mean²)", value: digits(numbers.approximation), term: "approximation" },
    { symbol: "," },
    { symbol: "r", value: `mean of ${numbers.K} weight${numbers.K > 1 ? "s" : ""} / p(x)`, term: "ratios", role: "weights" },
  ];
}

function verdict({ report }) {
  if (report.approximation === null) return "infinite: it says nothing";
  if (report.gap < 1e-11) return "no gap to tell";
  const factor = report.approximation / report.gap;
  if (report.holds) return `within 10 % of the gap`;
  return factor > 2 ? `${digits(factor, 2)} times the gap` : `off by ${percent(Math.abs(factor - 1))}`;
}

function cards({ numbers, model, fresh }) {
  const { report } = model;
  return [
    {
      label: "Gap (nats)", value: fresh ? digits(report.gap) : "…", exact: true,
      note: `${model.n_runs} runs: ${digits(numbers.hat)} ± ${digits(numbers.error, 1)}`,
      help: "log p(x) minus the bound, exact by quadrature; below, from the runs in the picture.",
    },
    { label: "Approximation", value: digits(numbers.approximation), note: fresh ? verdict(model) : "Var(w) / (2K mean²)" },
    { label: "Var(w) / mean²", value: digits(numbers.variance), note: "of one weight, exact" },
    {
      label: "Runs above log p(x)", value: fresh ? percent(report.share_above) : "…", exact: true,
      note: `of ${report.n_repeats} runs`, help: "Runs whose mean weight passes one. Their average does not.",
    },
  ];
}

function says({ numbers, model }) {
  return `Spread ${fixed(numbers.sigma)}, K = ${numbers.K}: the gap is ${digits(model.report.gap)} nats, the approximation ${digits(numbers.approximation)}.`;
}

function table({ numbers }) {
  return [["run", "mean_weight_over_p", "log"], ...Array.from(numbers.single, (run, i) => [i + 1, numbers.ratios[i], run])];
}

export default { decode, compute, height, layout, draw, handles, drag, nudge, formula, cards, buttons, press, says, table };
