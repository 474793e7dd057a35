// Signal to noise against K, both logarithmic: a line is drawn first, then the curves are shown.

import { digits, fixed } from "./numbers.js";
import { axes, line, note, segment, spot } from "./plot.js";

const RANGE = [-3, 2.2]; // log10 of the ratio, the same for every q, so that nothing jumps
const STEP = 0.05;
const TURN = 0.15; // a line that is less steep than this stays
const ENCODER = 0, DECODER = 1;

function decode(meta, arrays) {
  const values = Object.fromEntries(Object.entries(arrays).map(([name, { values: held }]) => [name, held]));
  return { ...meta, ...values, kinds: Object.keys(meta.names), last: Math.log2(meta.stops[meta.stops.length - 1]) };
}

function compute(state, model) {
  const [e, s] = [model.kinds.indexOf(state.estimator), model.stops.indexOf(Number(state.at))];
  const end = model.start * model.stops[model.stops.length - 1] ** state.guess;
  if (!model.answered) return { e, s, K: model.stops[s], end };
  const n = model.stops.length;
  const read = (values, group) => values[2 * (e * n + s) + group];
  const groups = [ENCODER, DECODER].map((group) => ({
    snr: read(model.snr, group), hat: read(model.snr_hat, group),
    slope: model.slope[2 * e + group], theory: model.theory[2 * e + group],
  }));
  return { e, s, K: model.stops[s], end, groups };
}

const narrow = (width) => width < 520;
const height = (width) => (narrow(width) ? 420 : 460);

function layout({ pen, width, height: tall }) {
  return { sheet: { pen, left: 0, top: 0, width: width - 12, height: tall } };
}

const log = (value) => (value > 0 ? Math.log10(value) : NaN);

function draw(pen, { view, state, numbers, model, tones, mark }) {
  const on = (term) => (mark === null || mark === term ? 1 : 0.2);
  const split = view.sheet.width < 520;
  const xTicks = model.stops.map((K, i) => [i, String(K)]).filter((_, i) => i % (split ? 4 : 2) === 0);
  const yTicks = [-3, -2, -1, 0, 1, 2].map((power) => [power, String(+(10 ** power).toFixed(3))]);
  const scale = axes(view.sheet, { x: [0, model.last], y: RANGE, xLabel: "K, samples in one gradient", yLabel: "signal / noise of one gradient", tones, xTicks, yTicks });
  view.scale = scale;
  const { left, right, top, bottom } = scale.box;
  line(pen, scale, [[0, 0], [model.last, 0]], { color: tones.grid, width: 2 });
  pen.save();
  pen.beginPath();
  pen.rect(left - 6, top, right - left + 12, bottom - top);
  pen.clip();
  const guess = [[0, log(model.start)], [model.last, log(numbers.end)]];
  line(pen, scale, guess, { color: tones.weights, width: model.answered ? 1.5 : 2.5, dash: [3, 4] });
  if (model.answered) drawCurves(pen, scale, state, numbers, model, tones, on);
  pen.restore();
  if (model.answered) note(pen, "signal = noise", right - 4, scale.toY(0) + 17, { color: tones.muted, align: "right", halo: tones.background });
  spot(pen, scale.toX(0), scale.toY(log(model.start)), { color: tones.proposal, radius: 5 });
  if (!model.answered) {
    note(pen, "encoder at K = 1", left + 12, scale.toY(log(model.start)) - 10, { color: tones.proposal, bold: true, halo: tones.background });
    note(pen, "your line", scale.toX(model.last * 0.6), scale.toY(log(model.start) + 0.6 * (log(numbers.end) - log(model.start))) - 9, { color: tones.weights, bold: true, halo: tones.background });
  }
}

function points(model, values, e, group) {
  const n = model.stops.length;
  return model.stops.map((_, s) => [s, log(values[2 * (e * n + s) + group])]);
}

function drawCurves(pen, scale, state, numbers, model, tones, on) {
  const { e, s } = numbers;
  model.kinds.forEach((_, other) => {
    if (other !== e) line(pen, scale, points(model, model.snr, other, ENCODER), { color: tones.proposal, width: 1, alpha: 0.35 });
  });
  line(pen, scale, [[0, log(model.floor)], [8, log(model.floor)]], { color: tones.muted, width: 1.2, dash: [2, 4] });
  const told = scale.box.right - scale.box.left < 420 ? "noise alone" : "what noise alone measures";
  note(pen, told, scale.toX(0) + 6, scale.toY(log(model.floor)) + 16, { color: tones.muted, halo: tones.background });
  const groups = [["encoder", tones.proposal, []], ["decoder", tones.target, [8, 4]]];
  groups.forEach(([name, color, dash], group) => {
    line(pen, scale, points(model, model.snr, e, group), { color, width: 3, dash, alpha: on(name) });
    for (const [x, y] of points(model, model.snr_hat, e, group)) {
      pen.save();
      pen.globalAlpha = on(name);
      if (Number.isFinite(y)) mark(pen, scale.toX(x), scale.toY(y), color, group);
      pen.restore();
    }
  });
  const last = model.stops.length - 1;
  const ends = groups.map((_, group) => scale.toY(points(model, model.snr, e, group)[last - 1][1]));
  groups.forEach(([name, color], group) => {
    const above = ends[group] <= ends[1 - group];
    note(pen, name, scale.toX(last) - 4, ends[group] + (above ? -22 : 30), { color, align: "right", bold: true, halo: tones.background });
  });
  pen.save();
  pen.strokeStyle = tones.text;
  pen.setLineDash([3, 3]);
  segment(pen, scale.toX(s), scale.box.top, scale.toX(s), scale.box.bottom);
  pen.restore();
}

// Measured: a ring for the encoder, a square for the decoder.
function mark(pen, x, y, color, group) {
  if (group === ENCODER) return spot(pen, x, y, { color, radius: 4.5, hollow: true });
  pen.strokeStyle = color;
  pen.lineWidth = 2;
  return pen.strokeRect(x - 4, y - 4, 8, 8);
}

const inside = (value, [low, high]) => Math.max(low, Math.min(high, value));

function handles({ state, numbers, model, view }) {
  const { toX, toY, box } = view.scale;
  if (model.answered) {
    return [{
      name: "at", label: "K that is read off", tone: "bound", x: toX(numbers.s), y: inside(toY(inside(log(numbers.groups[0].snr) || RANGE[0], RANGE)), [box.top, box.bottom - 24]), value: numbers.K,
      low: model.stops[0], high: model.stops[model.stops.length - 1], text: `K = ${numbers.K}`,
    }];
  }
  return [{
    name: "guess", label: "Your line for the encoder", tone: "weights", shape: "tall", x: box.right - 8, y: toY(inside(log(numbers.end), RANGE)),
    value: state.guess, low: model.limits[0], high: model.limits[1], text: `slope ${fixed(state.guess)}`,
  }];
}

const onStop = (state, stop, { stops }) => ({ ...state, at: stops[inside(stop, [0, stops.length - 1])] });

function drag(name, point, { state, model, view }) {
  const { box } = view.scale;
  if (name === "at") return onStop(state, Math.round(((point.x - box.left) / (box.right - box.left)) * model.last), model);
  const y = RANGE[0] + ((box.bottom - point.y) / (box.bottom - box.top)) * (RANGE[1] - RANGE[0]);
  const slope = (y - log(model.start)) / Math.log10(model.stops[model.stops.length - 1]);
  return { ...state, guess: Math.round(100 * inside(slope, model.limits)) / 100 };
}

function nudge(name, steps, { state, numbers, model }) {
  if (name === "at") return onStop(state, numbers.s + Math.sign(steps), model);
  return { ...state, guess: inside(Math.round(100 * (Number(state.guess) + STEP * steps)) / 100, model.limits) };
}

const answerOf = (guess) => (guess > TURN ? "rises" : guess < -TURN ? "falls" : "stays");

function buttons({ state, model }) {
  if (!model.answered) return [{ name: "commit", label: "That is my line: show the curves" }];
  return model.kinds.map((name) => ({ name, label: model.names[name], pressed: name === state.estimator }));
}

const press = (name, { state }) =>
  name === "commit" ? { ...state, answer_snr: answerOf(Number(state.guess)) } : { ...state, estimator: name };

function formula({ state, numbers, model }) {
  if (!model.answered) {
    return [
      { symbol: "SNR<sub>φ</sub>(K)", value: "your line", role: "weights" },
      { symbol: "=" },
      { symbol: "SNR<sub>φ</sub>(1)", value: digits(model.start), role: "proposal" },
      { symbol: "K<sup> slope</sup>", value: `slope ${fixed(Number(state.guess))}`, role: "weights" },
    ];
  }
  const [encoder, decoder] = numbers.groups;
  return [
    { symbol: "SNR<sub>φ</sub> = |E Δ<sub>φ</sub>| / σ[Δ<sub>φ</sub>]", value: digits(encoder.snr), term: "encoder", role: "proposal" },
    { symbol: "∝ K<sup> s</sup>", value: `s = ${fixed(encoder.slope)}`, term: "encoder", role: "proposal" },
    { symbol: "," },
    { symbol: "SNR<sub>θ</sub>", value: digits(decoder.snr), term: "decoder", role: "target" },
    { symbol: "∝ K<sup> s</sup>", value: `s = ${fixed(decoder.slope)}`, term: "decoder", role: "target" },
  ];
}

// The mean of B independent gradients has sqrt(B) times the ratio of one.
function needed(snr) {
  const count = Math.ceil(1 / snr ** 2 - 1e-9);
  return count < 1000 ? String(count) : digits(count);
}

function cards({ state, numbers, model }) {
  const yours = { label: "Your slope", value: fixed(Number(state.guess)), note: "of the encoder's line" };
  if (!model.answered) return [yours, { label: "Encoder at K = 1", value: digits(model.start), note: "signal over noise, exact" }];
  const [encoder, decoder] = numbers.groups;
  const measured = ({ hat }) => (Number.isNaN(hat) ? "not measured here" : `measured ${digits(hat)} (${model.n_repeats} repeats)`);
  return [
    { label: "Encoder's ratio", value: digits(encoder.snr), note: measured(encoder), help: "Exact, by quadrature: mean over standard deviation of one gradient, averaged over two weights." },
    { label: "Decoder's ratio", value: digits(decoder.snr), note: measured(decoder) },
    {
      label: "Slopes", value: `${fixed(encoder.slope)} | ${fixed(decoder.slope)}`,
      note: `theory ${fixed(encoder.theory, 1)} | ${fixed(decoder.theory, 1)}; you drew ${fixed(Number(state.guess))}`,
      help: "Encoder and decoder: of the logarithm of the ratio against log K, over K = 512 to 4096.",
    },
    { label: "To average", value: needed(encoder.snr), note: `gradients; decoder: ${needed(decoder.snr)}`, help: "About how many independent gradients must be averaged until signal equals noise: one over the ratio squared, at least one." },
  ];
}

function says({ state, numbers, model }) {
  if (!model.answered) return `Your line has slope ${fixed(Number(state.guess))}.`;
  const [encoder, decoder] = numbers.groups;
  return `${model.names[state.estimator]}, K = ${numbers.K}: signal to noise ${digits(encoder.snr)} for the encoder and ${digits(decoder.snr)} for the decoder; slopes ${fixed(encoder.slope)} and ${fixed(decoder.slope)}.`;
}

function table({ model }) {
  const head = ["estimator", "K", "encoder", "decoder", "encoder_measured", "decoder_measured"];
  if (!model.answered) return [head];
  const n = model.stops.length;
  const rows = model.kinds.flatMap((name, e) => model.stops.map((K, s) => {
    const i = 2 * (e * n + s);
    return [name, K, model.snr[i], model.snr[i + 1], model.snr_hat[i], model.snr_hat[i + 1]];
  }));
  return [head, ...rows];
}

export default { decode, compute, height, layout, draw, handles, drag, nudge, buttons, press, formula, cards, says, table };
