// Sixty repeated gradients of two encoder and two decoder weights; K is dragged along the bound.

import { arrow, plane, ruler } from "./gradients.js";
import { digits, fixed, percent } from "./numbers.js";
import { axes, line, note, spot } from "./plot.js";

const FORMULAS = {
  reparameterized: ["Σ w̃<sub>k</sub>", "∇<sub>φ</sub> log w<sub>k</sub>", "all of it"],
  stick_the_landing: ["Σ w̃<sub>k</sub>", "∇<sub>z</sub> log w<sub>k</sub> ∂z/∂φ", "score left out"],
  doubly_reparameterized: ["Σ w̃<sub>k</sub>²", "∇<sub>z</sub> log w<sub>k</sub> ∂z/∂φ", "weights squared"],
  wake_sleep: ["Σ w̃<sub>k</sub>", "∇<sub>φ</sub> log q(z<sub>k</sub>)", "z held fixed"],
};

function decode(meta, arrays) {
  const values = Object.fromEntries(Object.entries(arrays).map(([name, { values: held }]) => [name, held]));
  return { ...meta, ...values, kinds: Object.keys(meta.names) };
}

function compute(state, model) {
  const [e, s] = [model.kinds.indexOf(state.estimator), model.stops.indexOf(Number(state.K))];
  return { e, s, K: model.stops[s], ...at(model, e, s), bound: model.bound[s] };
}

// What belongs to an estimator and a K, parameters last.
function at(model, e, s) {
  const [from, size] = [e * model.stops.length + s, 4 * model.n_arrows];
  const pick = (values, length, place = from) => values.subarray(place * length, (place + 1) * length);
  const [mean, std] = [pick(model.mean, 4), pick(model.std, 4)];
  const ratio = (i) => Math.abs(mean[i]) / std[i];
  return {
    mean, std, arrows: pick(model.arrows, size), agreeing: pick(model.agreeing, 2),
    boundGradient: pick(model.bound_gradient, 4, s), snr: [(ratio(0) + ratio(1)) / 2, (ratio(2) + ratio(3)) / 2],
  };
}

const glide = (state) => Math.log2(state.K);
const narrow = (width) => width < 520;
const height = (width) => (narrow(width) ? 440 : 540);

function layout({ pen, width, height: tall }) {
  const side = (width - 12) / 2;
  const high = narrow(width) ? 220 : 320;
  return {
    encoder: { left: 0, top: 0, width: side, height: high },
    decoder: { left: side + 12, top: 0, width: side, height: high },
    needle: { pen, left: 0, top: high + 12, width: width - 14, height: tall - high - 12 },
  };
}

const mix = (one, other, part) => one.map((value, i) => value + part * (other[i] - value));

function draw(pen, { view, numbers, model, tones, mark, place }) {
  const on = (term) => (mark === null || mark === term ? 1 : 0.2);
  const from = Math.max(0, Math.min(model.stops.length - 1, Math.floor(place)));
  const [low, high] = [at(model, numbers.e, from), at(model, numbers.e, Math.min(from + 1, model.stops.length - 1))];
  const part = place - from;
  const moved = Object.fromEntries(["arrows", "mean", "boundGradient"].map((name) => [name, mix(Array.from(low[name]), high[name], part)]));
  drawFan(pen, view.encoder, moved, 0, "Encoder", ["V₁₁", "V₂₁"], { tones, on });
  drawFan(pen, view.decoder, moved, 2, "Decoder", ["W₁₁", "W₁₂"], { tones, on });
  drawNeedle(pen, view, place, model, tones, on);
}

function drawFan(pen, box, { arrows, mean, boundGradient }, part, title, [xLabel, yLabel], { tones, on }) {
  const ends = Array.from({ length: arrows.length / 4 }, (_, r) => [arrows[4 * r + part], arrows[4 * r + part + 1]]);
  const reaches = ends.map(([x, y]) => Math.max(Math.abs(x), Math.abs(y))).sort((a, b) => a - b);
  const [target, own] = [boundGradient, mean].map((sum) => [sum[part], sum[part + 1]]);
  // Nine tenths of the arrows are seen whole, and both means.
  const reach = Math.max(reaches[Math.floor(0.9 * reaches.length)], ...target.map(Math.abs), ...own.map(Math.abs));
  const sheet = plane(pen, box, reach, { tones, title: `${title}: 60 gradients`, xLabel, yLabel });
  const { toX, toY } = sheet;
  const from = ([x, y], style) => arrow(pen, toX(0), toY(0), toX(x), toY(y), style);
  pen.save();
  sheet.clip();
  for (const end of ends) from(end, { color: tones.weights, width: 1.3, head: 7, alpha: 0.55 * on("arrows") });
  const apart = Math.hypot(target[0] - own[0], target[1] - own[1]) * sheet.unit > 2;
  if (apart) {
    from(target, { color: tones.bound, width: 3.5, head: 12, alpha: on("target") });
    if (Math.hypot(...target) * sheet.unit < 6) spot(pen, toX(target[0]), toY(target[1]), { color: tones.bound, radius: 5 });
  }
  from(own, { color: tones.exact, width: 2.6, head: 12, dash: [7, 4], alpha: apart ? on("mean") : Math.max(on("mean"), on("target")) });
  if (Math.hypot(...own) * sheet.unit < 6) spot(pen, toX(own[0]), toY(own[1]), { color: tones.exact, radius: 4, hollow: true });
  pen.restore();
  ruler(pen, sheet, tones);
}

function drawNeedle(pen, view, place, model, tones, on) {
  const { stops, bound, log_marginal: truth } = model;
  const room = Math.max(0.15 * (truth - bound[0]), 0.1);
  const scale = axes(view.needle, {
    x: [0, stops.length - 1], y: [bound[0] - room, truth + room], xLabel: "K, samples in one gradient",
    title: "The bound they climb, nats", tones, handled: true, xTicks: stops.map((K, i) => [i, String(K)]).filter((_, i) => view.needle.width > 480 || i % 2 === 0),
  });
  view.scale = scale;
  line(pen, scale, [[0, truth], [stops.length - 1, truth]], { color: tones.exact, width: 2, dash: [8, 4], alpha: on("exact") });
  line(pen, scale, Array.from(bound, (each, i) => [i, each]), { color: tones.bound, width: 2.5, alpha: on("bound") });
  const from = Math.min(Math.floor(place), stops.length - 1);
  const next = Math.min(from + 1, stops.length - 1);
  view.height = bound[from] + (place - from) * (bound[next] - bound[from]);
  note(pen, "log p(x)", scale.box.left + 6, scale.toY(truth) - 5, { color: tones.text, bold: true, halo: tones.background });
}

function handles({ numbers, model, view, place }) {
  const { toX, toY } = view.scale;
  return [{
    name: "K", label: "K, samples in one gradient", tone: "bound", x: toX(place), y: toY(view.height),
    value: numbers.K, low: 1, high: model.stops[model.stops.length - 1], text: `K = ${numbers.K}, bound ${fixed(numbers.bound, 3)} nats`,
  }];
}

const onStop = (state, stop, { stops }) => ({ ...state, K: stops[Math.max(0, Math.min(stops.length - 1, stop))] });

function drag(name, point, { state, model, view }) {
  const { left, right } = view.scale.box;
  return onStop(state, Math.round(((point.x - left) / (right - left)) * (model.stops.length - 1)), model);
}

const nudge = (name, steps, { state, numbers, model }) => onStop(state, numbers.s + Math.sign(steps), model);

const buttons = ({ state, model }) =>
  model.kinds.map((name) => ({ name, label: model.names[name], pressed: name === state.estimator }));
const press = (name, { state }) => ({ ...state, estimator: name });

const long = (sum, part) => Math.hypot(sum[part], sum[part + 1]);

function formula({ state, numbers }) {
  const [share, term, said] = FORMULAS[state.estimator];
  return [
    { symbol: "Δ<sub>φ</sub>", value: "one arrow", term: "arrows", role: "weights" },
    { symbol: "=" },
    { symbol: share, value: `K = ${numbers.K}`, role: "weights" },
    { symbol: term, value: said },
    { symbol: "," },
    { symbol: "|E Δ<sub>φ</sub>|", value: digits(long(numbers.mean, 0)), term: "mean", role: "exact" },
    { symbol: "," },
    { symbol: "|∇<sub>φ</sub> L<sub>K</sub>|", value: digits(long(numbers.boundGradient, 0)), term: "target", role: "bound" },
    { symbol: "," },
    { symbol: "L<sub>K</sub>", value: fixed(numbers.bound, 3), term: "bound", role: "bound" },
  ];
}

const agree = (share) => (Number.isNaN(share) ? "no mean" : percent(share));

function cards({ numbers, model }) {
  const { snr, mean, boundGradient, agreeing, bound } = numbers;
  const bias = Math.hypot(mean[0] - boundGradient[0], mean[1] - boundGradient[1]);
  // The quadrature behind both has a relative error of up to 2e-4.
  const off = bias > Math.max(1e-3 * long(boundGradient, 0), 1e-9 * long(numbers.std, 0));
  return [
    { label: "Encoder: right way", value: agree(agreeing[0]), note: "within 90° of their mean", help: "Share of the sixty arrows that point less than 90 degrees away from their exact mean; pure noise gives a half." },
    { label: "Decoder: right way", value: agree(agreeing[1]), note: "within 90° of their mean" },
    {
      label: "Signal to noise", value: `${digits(snr[0])} | ${digits(snr[1])}`, note: "encoder | decoder, exact",
      help: "Size of the exact mean over the exact standard deviation of one gradient, averaged over the two weights.",
    },
    { label: "Encoder's mean arrow", value: digits(long(mean, 0)), note: "nats per unit, exact" },
    { label: "Away from the bound's", value: off ? digits(bias) : "0", note: off ? `gradient of L, ${digits(long(boundGradient, 0))} long` : "unbiased for the bound" },
    { label: "Bound (nats)", value: fixed(bound, 3), note: `lacks ${digits(model.log_marginal - bound)}` },
  ];
}

function says({ numbers, state, model }) {
  const { K, snr, agreeing } = numbers;
  return `${model.names[state.estimator]}, K = ${K}: ${agree(agreeing[0])} of the encoder's arrows and ${agree(agreeing[1])} of the decoder's point within 90 degrees of their mean; signal to noise ${digits(snr[0])} and ${digits(snr[1])}.`;
}

function table({ numbers }) {
  const rows = Array.from({ length: numbers.arrows.length / 4 }, (_, r) => [r + 1, ...numbers.arrows.subarray(4 * r, 4 * r + 4)]);
  return [["repeat", "V_11", "V_21", "W_11", "W_12"], ...rows];
}

export default {
  decode, compute, height, layout, draw, glide, handles, drag, nudge, buttons, press, formula, cards, says, table,
};
