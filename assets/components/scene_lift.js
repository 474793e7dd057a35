// Dimension lift: the handle adds coordinates, the effective share falls exponentially; plain
// products end at zero, log-sum-exp does not.

import { digits, percent } from "./numbers.js";
import { narrow } from "./pair.js";
import { axes, extent, line, note, readable, segment } from "./plot.js";

const WAYS = { log_sum_exp: "Log-sum-exp", float64: "Plain products, float64", float32: "Plain products, float32" };
const LOST = "0 / 0"; // every weight is zero
const BROKEN = "x / 0"; // some are not, but their mean or their squares are

export default { decode, compute, height, layout, draw, handles, drag, nudge, formula, cards, buttons, press, says, table };

function decode(meta, arrays) {
  const values = Object.fromEntries(Object.entries(arrays).map(([name, { values: held }]) => [name, held]));
  const plain = (bits) => ({
    log_mean: values[`${bits}_log_mean`], ess: values[`${bits}_ess`], zeros: values[`${bits}_zeros`],
  });
  return { ...meta, ...values, n_top: arrays.top.shape[1], plain: { float32: plain("float32"), float64: plain("float64") } };
}

// Everything was drawn once for all d; a d only looks it up.
function compute({ d, way }, model) {
  const i = d - 1;
  const plain = model.plain[way];
  const top = model.top.subarray(i * model.n_top, (i + 1) * model.n_top);
  const logMean = plain ? plain.log_mean[i] : model.log_mean[i];
  return {
    top, logMean,
    lost: logMean === -Infinity,
    ess: plain ? plain.ess[i] : model.ess[i],
    zeros: plain ? plain.zeros[i] : 0,
    logPredicted: model.log_predicted[i],
  };
}

function height(width) {
  return narrow(width) ? 700 : 520;
}

function layout({ width }) {
  const split = narrow(width);
  const half = split ? width : width / 2 - 8;
  const shares = { left: 0, top: 296, width: half, height: split ? 190 : 222 };
  const logs = split ? { left: 0, top: 496, width, height: 200 } : { ...shares, left: half + 16 };
  return { ess: { left: 0, top: 0, width, height: 280 }, shares, logs, at: null };
}

function draw(pen, { view, state, numbers, model, tones, mark }) {
  const on = (term) => (mark === null || mark === term ? 1 : 0.25);
  drawEss(pen, view, { state, model, tones, on });
  drawShares(pen, view.shares, { state, numbers, model, tones });
  drawLogs(pen, view.logs, { state, numbers, model, tones });
}

// A log scale from below one draw to all of them; what lies beyond d is not drawn yet.
function drawEss(pen, view, { state, model, tones, on }) {
  const floor = -Math.log10(model.K);
  const title = `Effective share of ${model.K} draws (log scale)`;
  const scale = axes(
    { pen, ...view.ess },
    { x: [0, model.most], y: null, xLabel: "dimensions, d", title, tones },
  );
  const { left, right, top, bottom } = scale.box;
  const [low, high] = [floor - 0.5, 0.08];
  const toY = (share) => bottom - ((share - low) / (high - low)) * (bottom - top);
  view.at = { ...scale, toY };
  for (let power = 0; power >= floor - 1e-9; power--) {
    pen.strokeStyle = tones.grid;
    pen.lineWidth = 1;
    segment(pen, left, toY(power), right, toY(power));
    note(pen, percent(10 ** power), right - 2, toY(power) - 4, { color: tones.muted, align: "right" });
  }
  pen.save();
  pen.beginPath();
  pen.rect(left, top, right - left, bottom - top);
  pen.clip();
  const maps = { toX: scale.toX, toY };
  line(pen, maps, [[0, floor], [model.most, floor]], { color: tones.muted, width: 1.6, dash: [2, 4] });
  const upTo = (values) => Array.from(values.subarray(0, state.d), (value, i) => [i + 1, Math.log10(value)]);
  const count = model.repeats.length / model.stops.length;
  for (let r = 1; r < count; r++) {
    const points = Array.from(model.stops, (d, i) => [d, Math.log10(model.repeats[i * count + r] / model.K)]);
    line(pen, maps, points.filter(([d]) => d <= state.d), { color: tones.weights, width: 1, alpha: 0.45 * on("measured") });
  }
  const measured = upTo(model.ess).map(([d, value]) => [d, value + floor]);
  line(pen, maps, measured, { color: tones.weights, width: 2.4, alpha: on("measured") });
  line(pen, maps, Array.from(model.log_predicted.subarray(0, state.d), (log, i) => [i + 1, log / Math.LN10]), { color: tones.exact, width: 1.8, dash: [8, 4], alpha: on("predicted") });
  pen.restore();
  note(pen, "one draw holds everything", right - 4, toY(floor) + 16, { color: tones.muted, align: "right" });
  note(pen, "- - predicted for many draws", right - 62, top + 18, { color: tones.text, align: "right" });
  note(pen, "— measured, three runs", right - 62, top + 36, { color: tones.weights, align: "right", bold: true });
}

function drawShares(pen, box, { state, numbers, model, tones }) {
  const { top, lost } = numbers;
  const tallest = lost ? 1 : Math.max(top[0], 2 / model.n_top);
  const scale = axes(
    { pen, ...box },
    { x: [0, model.n_top], y: [0, 1.05 * tallest], xLabel: "rank", title: `The ${model.n_top} heaviest draws' shares`, tones },
  );
  if (lost) {
    const middle = (scale.box.left + scale.box.right) / 2;
    const say = (text, y, bold) => note(pen, text, middle, scale.toY(y), { color: bold ? tones.text : tones.muted, align: "center", bold });
    const all = numbers.zeros === 1;
    say(all ? "Every weight is zero to the computer:" : "Their mean is zero to the computer:", 0.6, false);
    say(`no shares, ${all ? LOST : BROKEN}`, 0.42, true);
    return;
  }
  pen.fillStyle = tones.weights;
  const wide = (scale.box.right - scale.box.left) / model.n_top;
  top.forEach((share, i) => {
    const y = scale.toY(share);
    pen.fillRect(scale.toX(i) + 1, y, Math.max(1, wide - 2), scale.box.bottom - y);
  });
}

function drawLogs(pen, box, { state, numbers, model, tones }) {
  const [low] = extent([...model.log_mean, -2], 0.08);
  const scale = axes(
    { pen, ...box },
    { x: [0, model.most], y: [low, -0.12 * low], xLabel: "dimensions, d", title: "Log of the mean weight (nats)", tones },
  );
  const { left, right, bottom } = scale.box;
  line(pen, scale, [[0, 0], [model.most, 0]], { color: tones.exact, width: 1.6, dash: [8, 4] });
  const upTo = (values) => Array.from(values.subarray(0, state.d), (value, i) => [i + 1, value]);
  const chosen = model.plain[state.way];
  line(pen, scale, upTo(model.log_mean), { color: tones.weights, width: chosen ? 1.2 : 2.4, alpha: chosen ? 0.5 : 1 });
  if (chosen) {
    line(pen, scale, upTo(chosen.log_mean), { color: tones.proposal, width: 2.4, dash: [6, 3] });
    const end = chosen.log_mean.indexOf(-Infinity);
    if (end >= 0 && end < state.d) {
      const x = scale.toX(end + 1);
      pen.save();
      pen.strokeStyle = tones.proposal;
      pen.lineWidth = 2.4;
      segment(pen, x, scale.toY(chosen.log_mean[Math.max(0, end - 1)]), x, bottom);
      pen.restore();
      const toLeft = x > (left + right) / 2;
      note(pen, `▾ −∞ from d = ${end + 1}`, x + (toLeft ? -8 : 8), bottom - 8, { color: tones.proposal, align: toLeft ? "right" : "left", bold: true });
    }
  }
  note(pen, "exact 0", right - 4, scale.toY(0) - 6, { color: tones.text, align: "right" });
}

const held = (d, { most }) => Math.max(1, Math.min(most, Math.round(d)));

function handles({ state, model, view }) {
  const { toX, toY, box } = view.at;
  const share = Math.log10(model.ess[state.d - 1] / model.K);
  const x = Math.max(22, Math.min(view.ess.width - 22, toX(state.d)));
  return [{
    name: "d", label: "Number of dimensions", tone: "weights", shape: "wide",
    x, y: Math.min(box.bottom, toY(share)), value: state.d, low: 1, high: model.most, text: `${state.d} dimensions`,
  }];
}

function drag(name, point, { state, model, view }) {
  const { left, right } = view.at.box;
  return { ...state, d: held((model.most * (point.x - left)) / (right - left), model) };
}

function nudge(name, steps, { state, model }) {
  return { ...state, d: held(state.d + steps, model) };
}

function buttons({ state }) {
  return Object.entries(WAYS).map(([name, label]) => ({ name, label, pressed: name === state.way }));
}

function press(name, { state }) {
  return { ...state, way: name };
}

function formula({ state, numbers, model }) {
  return [
    { symbol: "ESS / K", value: quotient(numbers.ess / model.K, percent), term: "measured", role: "weights" },
    { symbol: "→" },
    { symbol: "exp( − d · log E<sub>q</sub>[w<sub>1</sub>²] )", value: shareOf(numbers.logPredicted), term: "predicted" },
    { symbol: "," },
    { symbol: "d", value: String(state.d) },
    { symbol: "," },
    { symbol: "log E<sub>q</sub>[w<sub>1</sub>²]", value: `${model.log_moment_text} nats`, term: "predicted" },
    { symbol: "for" },
    { symbol: "p", value: "Normal(0, 1)", role: "target" },
    { symbol: "q", value: `Normal(${readable(model.shift)}, ${readable(model.ratio)})`, role: "proposal" },
  ];
}

// A share that floats can barely hold stays a power of e.
const shareOf = (log) => (log < -23 && log > -Infinity ? `exp(${digits(log)})` : percent(Math.exp(log)));
const quotient = (value, write) => (Number.isNaN(value) ? LOST : Number.isFinite(value) ? write(value) : BROKEN);

function cards({ state, numbers, model }) {
  const plain = state.way !== "log_sum_exp";
  const largest = numbers.lost ? (numbers.zeros === 1 ? LOST : BROKEN) : percent(numbers.top[0]);
  const mean = plain ? digits(Math.exp(numbers.logMean)) : `exp(${digits(numbers.logMean)})`;
  return [
    { label: "Dimensions", value: String(state.d), note: model.ends_text },
    {
      label: "ESS", value: quotient(numbers.ess, (ess) => digits(ess)),
      note: `predicted share ${shareOf(numbers.logPredicted)}`,
      help: "The prediction holds for many draws. Measured ESS cannot fall below one, and does not know the weights it never met.",
    },
    { label: "Heaviest draw", value: largest, note: `equal share ${percent(1 / model.K)}` },
    { label: "Mean weight", value: mean, note: "exact 1" },
    { label: "Its logarithm", value: digits(numbers.logMean), note: "exact 0 nats" },
    {
      label: "Weights equal to 0", value: percent(numbers.zeros), note: plain ? model.lost_text[state.way] : "logarithms never underflow",
    },
  ];
}

function says({ state, numbers, model }) {
  const ess = Number.isFinite(numbers.ess) ? digits(numbers.ess) : "not a number";
  return `${state.d} dimensions: effective sample size ${ess} of ${model.K}, log of the mean weight ${digits(numbers.logMean)}.`;
}

function table({ model }) {
  const rows = Array.from(model.ess, (ess, i) => [
    i + 1, ess, model.log_predicted[i], model.log_mean[i], model.plain.float64.log_mean[i], model.plain.float32.log_mean[i],
  ]);
  return [["d", "ess", "log_predicted_share", "log_mean", "log_mean_float64", "log_mean_float32"], ...rows];
}
