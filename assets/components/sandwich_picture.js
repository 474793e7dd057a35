// What the lesson on the bound draws in its part "curve": the bound and its layers, q's plane, the runs.

import { digits, fixed } from "./numbers.js";
import { axes, band, clipped, line, note, segment, ticks } from "./plot.js";

const LAST = 4; // decades of K
const STYLES = {
  upper: { text: "upper: one exact posterior draw", role: "target", dash: [9, 4] },
  jackknife_1: { text: "jackknife 1", role: "weights", dash: [10, 3, 2, 3] },
  jackknife_2: { text: "jackknife 2", role: "weights", dash: [2, 3] },
  "renyi_0.5": { text: "Renyi α = 0.5", role: "prior", dash: [10, 3, 2, 3] },
  "renyi_-1": { text: "Renyi α = −1", role: "prior", dash: [2, 3] },
};

function chosen(state, model) {
  const on = { upper: state.upper, jackknife_1: state.jackknife, jackknife_2: state.jackknife, "renyi_0.5": state.renyi, "renyi_-1": state.renyi };
  return model.layers.filter((name) => on[name] === true || on[name] === "1");
}

export const yes = (value) => value === true || value === "1";

export function draw(pen, context) {
  const { view, state, model, tones, mark } = context;
  const on = (term) => (mark === null || mark === term ? 1 : 0.25);
  const shown = chosen(state, model);
  if (yes(state.gap)) drawGap(pen, context, shown, on);
  else drawBound(pen, context, shown, on);
  drawLegend(pen, view, shown, context);
  drawPlane(pen, context, on);
  drawRuns(pen, view.runs, model, context.numbers, tones, context.fresh);
}

const decades = Array.from({ length: LAST + 1 }, (_, power) => [power, (10 ** power).toLocaleString("en-US")]);
const log = (value) => (value > 0 ? Math.log10(value) : NaN);

function curves(model) {
  const pairs = (K, values) => Array.from(values, (value, i) => [log(K[i]), value]);
  const lower = model.layers.length ? pairs(model.layerK, model.expected.iwae) : pairs(model.K, model.bound);
  return { pairs, lower };
}

function drawBound(pen, { view, state, numbers, model, tones }, shown, on) {
  const { truth } = model;
  const lows = [...model.low, ...Array.from(model.elbo_low).slice(2), ...model.bound, numbers.elbo];
  const least = Math.min(...lows);
  const most = Math.max(...model.high, truth);
  const above = shown.length ? Math.max(most, ...shown.map((name) => top(model, name, truth, least))) : most;
  const room = Math.max(0.06 * (above - least), 0.05);
  const scale = axes(view.main, { x: [0, LAST], y: [least - room, above + room], yLabel: "nats", xLabel: "K, samples per run (log scale)", tones, xTicks: decades, handled: true });
  view.scale = scale;
  const { pairs, lower } = curves(model);
  const fade = numbers.same ? 1 : 0.3; // the report of another q
  clipped(pen, scale.box, () => {
    const K = model.K;
    if (model.told) band(pen, scale, pairs(K, model.elbo_low), pairs(K, model.elbo_high), { color: tones.muted, alpha: 0.14 * fade });
    const [bandK, low, high] = model.layers.length ? [model.layerK, model.layerLow.iwae, model.layerHigh.iwae] : [K, model.low, model.high];
    band(pen, scale, pairs(bandK, low), pairs(bandK, high), { color: tones.bound, alpha: 0.2 * fade * on("bound") });
    const [rows, count] = model.ghosts.shape;
    for (let g = 0; g < count; g++) {
      const run = Array.from({ length: rows }, (_, i) => [log(K[i]), model.ghosts.values[i * count + g]]);
      line(pen, scale, run, { color: tones.bound, width: 0.7, alpha: 0.3 * fade });
    }
    for (const name of shown) {
      const { role, dash } = STYLES[name];
      if (name === "upper") {
        band(pen, scale, pairs(model.layerK, model.layerLow[name]), pairs(model.layerK, model.layerHigh[name]), { color: tones[role], alpha: 0.09 * fade });
      }
      line(pen, scale, pairs(model.layerK, model.expected[name]), { color: tones[role], dash, alpha: fade });
    }
    if (numbers.variance > 0 && Number.isFinite(numbers.variance)) {
      const steps = Array.from({ length: 161 }, (_, i) => (i * LAST) / 160);
      line(pen, scale, steps.map((x) => [x, truth - numbers.variance / (2 * 10 ** x)]), { color: tones.muted, width: 1.5, dash: [7, 4] });
    }
    line(pen, scale, [[0, numbers.elbo], [LAST, numbers.elbo]], { color: tones.bound, dash: [2, 4], alpha: on("elbo") });
    line(pen, scale, [[0, truth], [LAST, truth]], { color: tones.exact, width: 2, dash: [8, 4], alpha: on("exact") });
    line(pen, scale, lower, { color: tones.bound, width: 3, alpha: fade * on("bound") });
  });
  const halo = tones.background;
  note(pen, `log p(x) = ${fixed(truth, 3)}, exact`, scale.box.right - 6, scale.toY(truth) - 7, { color: tones.text, align: "right", halo });
  note(pen, model.told ? "ELBO, with K samples too" : "ELBO", scale.box.right - 6, scale.toY(numbers.elbo) + 16, { color: tones.bound, align: "right", halo });
  view.knob = [log(state.K), numbers.bound];
}

// How high a layer may stretch the axis: a Renyi bound can be infinite.
function top(model, name, truth, least) {
  const finite = Array.from(model.expected[name]).filter(Number.isFinite);
  return Math.min(Math.max(...finite, truth), truth + 1.1 * (truth - least));
}

function drawGap(pen, { view, state, numbers, model, tones }, shown, on) {
  const { truth } = model;
  const { pairs } = curves(model);
  const seen = (values, floor) => Array.from(values, (value, i) => (Math.abs(truth - value) > floor(i) ? Math.abs(truth - value) : NaN));
  const lower = model.layers.length
    ? pairs(model.layerK, seen(model.expected.iwae, (i) => model.resolution.iwae[i]))
    : pairs(model.K, seen(model.bound, (i) => Math.max(2 * model.std_error[i], 1e-9)));
  const known = lower.map(([, gap]) => gap).filter((gap) => gap > 0);
  const range = known.length ? [log(Math.min(...known)) - 0.8, log(Math.max(...known)) + 0.4] : [-4, 0.5];
  const yTicks = ticks(...range, 7).filter(Number.isInteger).map((power) => [power, digits(10 ** power, 1)]);
  const scale = axes(view.main, { x: [0, LAST], y: range, yLabel: "distance from log p(x), nats (log scale)", xLabel: "K, samples per run (log scale)", tones, xTicks: decades, yTicks, handled: true });
  view.scale = scale;
  const fade = numbers.same ? 1 : 0.3;
  const logs = (points) => points.map(([x, y]) => [x, log(y)]);
  clipped(pen, scale.box, () => {
    if (numbers.same && model.breaks_until > 0 && Number.isFinite(numbers.variance)) {
      pen.save();
      pen.globalAlpha = 0.13;
      pen.fillStyle = tones.muted;
      pen.fillRect(scale.box.left, scale.box.top, scale.toX(log(model.breaks_until)) - scale.box.left, scale.box.bottom - scale.box.top);
      pen.restore();
    }
    for (const name of shown) {
      const { role, dash } = STYLES[name];
      const gaps = pairs(model.layerK, seen(model.expected[name], (i) => model.resolution[name][i]));
      line(pen, scale, logs(gaps), { color: tones[role], dash, alpha: fade });
    }
    if (numbers.variance > 0 && Number.isFinite(numbers.variance)) {
      line(pen, scale, [0, LAST].map((x) => [x, log(numbers.variance / 2) - x]), { color: tones.muted, width: 1.5, dash: [7, 4] });
    }
    line(pen, scale, logs(lower), { color: tones.bound, width: 3, alpha: fade * on("bound") });
  });
  if (!known.length) note(pen, "no gap at any K", (scale.box.left + scale.box.right) / 2, (scale.box.top + scale.box.bottom) / 2, { color: tones.text, align: "center", bold: true });
  const gap = truth - numbers.bound;
  view.knob = [log(state.K), gap > 1e-9 ? Math.max(range[0], log(gap)) : range[0]];
}

function drawLegend(pen, { main }, shown, { state, model, numbers, tones }) {
  const entries = [{ text: "bound", color: tones.bound, dash: [], width: 3 }];
  if (numbers.variance > 0 && Number.isFinite(numbers.variance)) entries.push({ text: "1/K approximation", color: tones.muted, dash: [7, 4] });
  for (const name of shown) entries.push({ text: STYLES[name].text, color: tones[STYLES[name].role], dash: STYLES[name].dash });
  const asked = [state.upper, state.jackknife, state.renyi].some(yes);
  if (asked && !model.layers.length) entries.push({ text: "layers: not worked out for this q yet", color: tones.muted, dash: [1, 5] });
  let [x, y] = [main.left + 8, main.top + main.height + 16];
  for (const { text, color, dash, width = 2 } of entries) {
    const wide = 34 + pen.measureText(text).width + 14;
    if (x + wide > main.left + main.width && x > main.left + 8) [x, y] = [main.left + 8, y + 18];
    pen.save();
    pen.strokeStyle = color;
    pen.lineWidth = width;
    pen.setLineDash(dash);
    segment(pen, x, y - 4, x + 26, y - 4);
    pen.restore();
    note(pen, text, x + 32, y, { color: tones.muted });
    x += wide;
  }
}

function ellipse(pen, map, { mean, covariance: [[a, b], [, d]] }, reach, style) {
  const root = Math.sqrt(a);
  const rest = Math.sqrt(Math.max(0, d - (b * b) / a));
  const points = Array.from({ length: 73 }, (_, i) => {
    const angle = (i / 72) * 2 * Math.PI;
    const [u, v] = [reach * Math.cos(angle), reach * Math.sin(angle)];
    return [mean[0] + root * u, mean[1] + (b / root) * u + rest * v];
  });
  line(pen, map, points, style);
}

function drawPlane(pen, { view, numbers, model, tones }, on) {
  const { map, plane } = view;
  note(pen, "q over the posterior", plane.left + 2, plane.top + 14, { color: tones.text, bold: true });
  pen.strokeStyle = tones.grid;
  pen.lineWidth = 1;
  pen.strokeRect(map.box.left, map.box.top, map.box.right - map.box.left, map.box.bottom - map.box.top);
  clipped(pen, map.box, () => {
    for (const reach of [1, 2]) {
      ellipse(pen, map, model.posterior, reach, { color: tones.target, width: 2.5, alpha: on("target") });
      ellipse(pen, map, numbers.q, reach, { color: tones.proposal, width: 2, dash: [8, 4], alpha: on("proposal") });
    }
  });
  note(pen, "1 and 2 deviations", map.box.right - 6, map.box.bottom - 8, { color: tones.muted, align: "right" });
  note(pen, "posterior", map.box.left + 6, map.box.bottom - 24, { color: tones.target, bold: true });
  note(pen, "q", map.box.left + 6, map.box.bottom - 8, { color: tones.proposal, bold: true });
}

function drawRuns(pen, sheet, model, numbers, tones, fresh) {
  const { counts, edges, truth, report } = model;
  const range = [edges[0], edges[edges.length - 1]];
  const scale = axes(sheet, { x: range, y: [0, Math.max(...counts) * 1.08], xLabel: `one run with K = ${model.state.K}, nats`, title: "Single runs; outlined: above log p(x)", tones });
  const { toX, toY, box } = scale;
  pen.save();
  pen.globalAlpha = fresh ? 0.65 : 0.3;
  pen.fillStyle = tones.bound;
  pen.strokeStyle = tones.text;
  pen.lineWidth = 1;
  counts.forEach((count, i) => {
    if (!count) return;
    const [left, right, high] = [toX(edges[i]), toX(edges[i + 1]), toY(count)];
    const above = 0.5 * (edges[i] + edges[i + 1]) > truth + 1e-9;
    if (above) pen.strokeRect(left + 0.5, high, right - left - 1, box.bottom - high);
    else pen.fillRect(left, high, right - left - 1, box.bottom - high);
  });
  pen.restore();
  const upright = (x, style) => line(pen, scale, [[x, 0], [x, Math.max(...counts) * 1.05]], style);
  if (truth < range[1]) upright(truth, { color: tones.exact, width: 2, dash: [8, 4] });
  upright(report.bound, { color: tones.bound, width: 2.5 });
}
