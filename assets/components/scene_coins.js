// The same 64 weights, boxed anew: K is dragged, neighbors merge, the needle climbs, nothing is drawn.

import { digits, fixed, percent } from "./numbers.js";
import { axes, band, line, note, segment, spot } from "./plot.js";
import { boxes, mean } from "./weights.js";

const N = 64;
const STOPS = [1, 2, 4, 8, 16, 32, 64];
const SEEDS = 2 ** 31;

function decode(meta, { log_w: coins, expected, share, low, high }) {
  const logW = coins.values;
  const levels = STOPS.map((K) => boxes(logW, K));
  const needles = levels.map(mean);
  const truth = meta.log_marginal;
  const base = Math.min(needles[0], expected.values[0]);
  const top = Math.max(truth, ...logW);
  const span = Math.max(top - base, 0.8);
  const lowest = Math.min(...logW);
  const bottom = Math.min(Math.max(lowest, base - 0.9 * span), base) - 0.08 * span;
  return {
    ...meta, logW, levels, needles, truth, range: [bottom, top + 0.08 * span],
    expected: expected.values, share: share.values, low: low.values, high: high.values,
    peak: Math.max(...logW), lowest: Math.max(lowest, bottom),
  };
}

const zero = (nats) => (Math.abs(nats) > 1e-9 ? nats : 0); // rounding of numbers near one is no gap

function compute(state, model) {
  const stop = STOPS.indexOf(Number(state.box));
  return {
    stop, K: STOPS[stop], boxes: model.levels[stop], needle: model.needles[stop],
    gap: zero(model.truth - model.needles[stop]), left: zero(model.truth - model.expected[stop]),
  };
}

const glide = (state) => Math.log2(state.box);
const mix = (one, other, part) => one + part * (other - one);
const narrow = (width) => width < 620;
const height = (width) => (narrow(width) ? 540 : 430);

function layout({ pen, width, height: tall }, state, numbers, model) {
  const split = narrow(width);
  const strip = { top: 26, height: split ? 30 : 44 };
  const under = strip.top + strip.height + 8;
  const wide = split ? width : Math.round(width * 0.6);
  const row = { pen, left: 0, top: under, width: wide, height: (split ? 320 : tall) - under };
  const climb = split
    ? { pen, left: 0, top: 326, width: width - 12, height: tall - 326 }
    : { pen, left: wide + 16, top: 0, width: width - wide - 28, height: tall };
  const { truth, needles, low, high, expected } = model;
  const seen = [truth, ...needles, ...expected, ...high, Math.max(low[0], Math.min(...needles) - 1.5)];
  const [least, most] = [Math.min(...seen), Math.max(...seen)];
  const room = Math.max(0.1 * (most - least), 0.2);
  return { strip, row, climb, split, range: [least - room, most + room] };
}

function draw(pen, { view, place, numbers, model, tones, mark }) {
  const on = (term) => (mark === null || mark === term ? 1 : 0.25);
  const from = Math.floor(place);
  const moved = { from, to: Math.min(from + 1, STOPS.length - 1), part: place - from };
  view.needle = mix(model.needles[moved.from], model.needles[moved.to], moved.part);
  const scale = axes(view.row, { x: [0, N], y: model.range, yLabel: "log of the weight, nats", tones, xTicks: [] });
  const across = (y) => [[0, y], [N, y]];
  drawStrip(pen, view, scale, moved, model, tones, on);
  line(pen, scale, across(model.truth), { color: tones.exact, width: 2, dash: [8, 4], alpha: on("exact") });
  drawCoins(pen, scale, model, tones, on("coins"));
  drawBoxes(pen, view, scale, moved, model, tones, on("boxes"));
  line(pen, scale, across(view.needle), { color: tones.bound, width: 1.5, alpha: on("needle") });
  // A name keeps clear of the other line however close the two are.
  const [truthY, needleY] = [scale.toY(model.truth), scale.toY(view.needle)];
  const below = needleY >= truthY;
  const name = (text, x, y, style) => note(pen, text, x, y, { ...style, bold: true, halo: tones.background });
  name("log p(x)", scale.box.right - 4, truthY + (below ? -6 : 16), { color: tones.text, align: "right" });
  const told = view.row.width < 450 ? "thin line: the needle" : "thin line, the needle: mean of the boxes";
  name(told, scale.box.right - 4, view.row.top + 14, { color: tones.bound, align: "right" });
  note(pen, `the same ${N} weights, whatever K is`, (scale.box.left + scale.box.right) / 2, scale.box.bottom + 16, { color: tones.muted, align: "center" });
  drawClimb(pen, view, place, model, tones, on);
}

// The coins as coins, in their boxes: size and depth of color by log weight.
function drawStrip(pen, { strip, split }, scale, { from, to, part }, model, tones, on) {
  const { toX } = scale;
  note(pen, split ? "64 coins: the weights" : "64 coins: one weight each, boxed by K", scale.box.left, 16, { color: tones.weights, bold: true });
  const middle = strip.top + strip.height / 2;
  const unit = toX(1) - toX(0);
  pen.save();
  pen.globalAlpha = on("coins");
  model.logW.forEach((logW, i) => {
    const size = (Math.max(logW, model.lowest) - model.lowest) / (model.peak - model.lowest || 1);
    const radius = mix(0.22, 0.62, model.peak - model.lowest > 1e-9 ? size : 0.6) * unit;
    pen.globalAlpha = on("coins") * mix(0.35, 1, size);
    spot(pen, toX(i + 0.5), middle, { color: tones.weights, radius: Math.max(1.2, radius) });
  });
  pen.restore();
  pen.save();
  pen.strokeStyle = tones.bound;
  pen.lineWidth = 1.5;
  const outline = (level, alpha) => {
    const K = STOPS[level];
    pen.globalAlpha = alpha * on("boxes");
    for (let i = 0; i < N; i += K) {
      const [left, right] = [toX(i) + 1, toX(i + K) - 1];
      pen.beginPath();
      pen.roundRect(left, strip.top, right - left, strip.height, Math.min(6, unit / 2));
      pen.stroke();
    }
  };
  outline(from, 1 - part);
  if (part > 0) outline(to, part);
  pen.restore();
}

function drawCoins(pen, scale, model, tones, alpha) {
  let under = 0;
  pen.save();
  pen.globalAlpha = 0.75 * alpha;
  model.logW.forEach((logW, i) => {
    if (logW < model.range[0]) under++;
    else spot(pen, scale.toX(i + 0.5), scale.toY(logW), { color: tones.weights, radius: 2.5 });
  });
  pen.restore();
  if (under) note(pen, `${under} coin${under > 1 ? "s" : ""} lower ▾`, scale.box.left + 4, scale.box.bottom - 6, { color: tones.muted });
}

// Each box at the log of its mean; while two merge they glide to the height of the one they become.
function drawBoxes(pen, view, scale, { from, to, part }, model, tones, alpha) {
  const K = STOPS[from];
  const gap = K === 1 ? 0.5 : 2;
  pen.save();
  pen.globalAlpha = alpha;
  pen.fillStyle = tones.bound;
  model.levels[from].forEach((level, i) => {
    const parent = to > from ? i >> 1 : i;
    const y = scale.toY(mix(level, model.levels[to][parent], part));
    const inner = gap * (1 - part);
    const left = scale.toX(i * K) + (i % 2 ? inner : gap);
    const right = scale.toX((i + 1) * K) - (i % 2 ? gap : inner);
    if (y < scale.box.bottom) pen.fillRect(left, y - 2, right - left, 4);
  });
  pen.restore();
  if (part > 0 || K < (view.split ? 16 : 8) || K === N) return;
  model.levels[from].forEach((level, i) => {
    const lifted = level >= model.needles[from] ? -8 : 18; // away from the needle's line
    note(pen, fixed(level), scale.toX((i + 0.5) * K), scale.toY(level) + lifted, { color: tones.bound, align: "center", halo: tones.background });
  });
}

function drawClimb(pen, view, place, model, tones, on) {
  const xTicks = STOPS.map((K, i) => [i, String(K)]);
  const scale = axes(view.climb, {
    x: [0, STOPS.length - 1], y: view.range, xLabel: "K, coins in a box", title: "The needle against K", tones, xTicks, handled: true,
  });
  view.scale = scale;
  const points = (values) => Array.from(values, (value, i) => [i, value]);
  pen.save();
  pen.beginPath();
  pen.rect(scale.box.left, scale.box.top, scale.box.right - scale.box.left, scale.box.bottom - scale.box.top);
  pen.clip();
  if (model.told) {
    band(pen, scale, points(model.low), points(model.high), { color: tones.muted, alpha: 0.16 * on("average") });
    line(pen, scale, points(model.expected), { color: tones.bound, width: 1.5, dash: [3, 3], alpha: on("average") });
  }
  line(pen, scale, [[0, model.truth], [6, model.truth]], { color: tones.exact, width: 2, dash: [8, 4], alpha: on("exact") });
  const done = points(model.needles).slice(0, Math.floor(place) + 1);
  if (place % 1) done.push([place, view.needle]);
  line(pen, scale, done, { color: tones.bound, width: 3, alpha: on("needle") });
  pen.restore();
  for (const [x, y] of done) spot(pen, scale.toX(x), scale.toY(y), { color: tones.bound, radius: 3.5 });
  note(pen, "log p(x)", scale.box.left + 6, scale.toY(model.truth) - 6, { color: tones.text });
  if (!model.told) return; // which way the average goes is what is asked
  note(pen, "dotted: average of all rows", scale.box.right - 2, scale.box.bottom - 26, { color: tones.muted, align: "right", halo: tones.background });
  note(pen, "shaded: 90 % of rows", scale.box.right - 2, scale.box.bottom - 9, { color: tones.muted, align: "right", halo: tones.background });
}

function handles({ numbers, model, view, place }) {
  const { toX, toY } = view.scale;
  return [{
    name: "box", label: "K, coins in a box", tone: "bound", x: toX(place), y: toY(view.needle),
    value: numbers.K, low: 1, high: N, text: `K = ${numbers.K}, needle at ${fixed(numbers.needle, 3)} nats`,
  }];
}

const onStop = (state, stop) => ({ ...state, box: STOPS[Math.max(0, Math.min(STOPS.length - 1, stop))] });

function drag(name, point, { state, view }) {
  const { box } = view.scale;
  return onStop(state, Math.round(((point.x - box.left) / (box.right - box.left)) * (STOPS.length - 1)));
}

const nudge = (name, steps, { state, numbers }) => onStop(state, numbers.stop + Math.sign(steps));

function buttons({ numbers }) {
  const merge = numbers.stop + 1 < STOPS.length ? `Merge pairs: K = ${2 * numbers.K}` : "Unpack: K = 1";
  return [{ name: "merge", label: merge }, { name: "coins", label: "New coins" }];
}

function press(name, { state, numbers }) {
  if (name === "coins") return { ...state, seed: (Number(state.seed) + 1) % SEEDS };
  return onStop(state, (numbers.stop + 1) % STOPS.length);
}

function formula({ numbers, model }) {
  const count = N / numbers.K;
  return [
    { symbol: "needle", value: fixed(numbers.needle, 3), term: "needle", role: "bound" },
    { symbol: "=" },
    { symbol: "mean", value: count > 1 ? `of ${count} boxes` : "one box" },
    { symbol: "log", value: numbers.K === 1 ? "of each coin" : "of each box", term: "boxes", role: "bound" },
    { symbol: "mean", value: numbers.K > 1 ? `of ${numbers.K} coins` : "one coin" },
    { symbol: "w<sub>k</sub>", value: `the same ${N}`, term: "coins", role: "weights" },
    { symbol: "," },
    { symbol: "log p(x)", value: fixed(model.truth, 3), term: "exact", role: "exact" },
  ];
}

function cards({ numbers, model }) {
  const { stop, K, gap } = numbers;
  const passes = gap < 0;
  return [
    { label: "Needle (nats)", value: fixed(numbers.needle, 3), note: `K = 1: ${fixed(model.needles[0], 3)}` },
    {
      label: passes ? "Above log p(x) (nats)" : "Below log p(x) (nats)", value: digits(Math.abs(gap)),
      note: passes ? "one row of coins may" : "this row of coins",
    },
    {
      label: "Average needle", value: fixed(model.expected[stop], 3), note: `L at K = ${K} lacks ${digits(numbers.left)}`,
      help: "The bound L_K: the needle's mean over all rows of coins, exact by quadrature. It is never above log p(x).",
    },
    {
      label: "Rows that pass log p(x)", value: percent(model.share[stop]), note: `of ${model.n_sets} rows at K = ${K}`,
      help: "Share of other rows of 64 coins, drawn from the same q, whose needle stands above log p(x).",
    },
  ];
}

function says({ numbers, model }) {
  const side = numbers.gap < 0 ? "above" : "below";
  return `K = ${numbers.K}: the needle stands at ${fixed(numbers.needle, 3)}, ${digits(Math.abs(numbers.gap))} nats ${side} log p(x) = ${fixed(model.truth, 3)}.`;
}

function table({ numbers, model }) {
  const rows = Array.from(model.logW, (logW, i) => {
    const box = Math.floor(i / numbers.K);
    return [i + 1, logW, box + 1, numbers.boxes[box]];
  });
  return [["coin", "log_w", "box", "log_mean_of_box"], ...rows];
}

export default {
  decode, compute, height, layout, draw, glide, handles, drag, nudge, formula, cards, buttons, press, says, table,
};
