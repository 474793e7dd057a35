// Most weights are near zero: ways backward through few of K samples, by added error, by the share of
// samples they take, and by the time that was measured here.

import { digits, percent } from "./numbers.js";
import { axes, line, note, spot } from "./plot.js";

const ERROR = [-3.2, 1.2]; // log10 of the added error
const ENCODER = 0, DECODER = 1;

function decode(meta, arrays) {
  const values = Object.fromEntries(Object.entries(arrays).map(([name, { values: held }]) => [name, held]));
  return { ...meta, ...values };
}

function compute(state, model) {
  const i = model.ways.indexOf(state.way);
  const read = (name) => [model[name][2 * i], model[name][2 * i + 1]];
  const timed = model.times ? model.timed.indexOf(state.way) : -1;
  return {
    i, kind: state.way.split("_")[0], touched: model.touched[i], timed,
    added: read("added"), bias: read("bias"), biasError: read("bias_error"), ofMean: read("of_mean"),
  };
}

const narrow = (width) => width < 520;
const height = (width, { times }) => (narrow(width) ? (times ? 780 : 660) : 580);

function layout({ pen, width, height: tall }) {
  const split = narrow(width);
  const plot = { pen, left: 0, top: 0, width: width - 8, height: split ? 330 : 340 };
  const low = plot.height + 16;
  const half = split ? width : (width - 20) / 2;
  const high = split ? 200 : tall - low;
  return {
    plot,
    weights: { pen, left: 0, top: low, width: half - 6, height: high },
    clock: split ? { pen, left: 0, top: low + high + 16, width: half - 6, height: tall - low - high - 16 } : { pen, left: half + 20, top: low, width: half - 6, height: high },
  };
}

const log = (value) => Math.log10(value);
const shown = (error) => Math.max(ERROR[0] + 0.05, error > 0 ? log(error) : -Infinity);

function draw(pen, { view, numbers, model, tones, mark }) {
  const on = (term) => (mark === null || mark === term ? 1 : 0.2);
  drawPlane(pen, view, numbers, model, tones, on);
  drawWeights(pen, view.weights, numbers, model, tones, on("weights"));
  drawClock(pen, view.clock, numbers, model, tones, on("time"));
}

function drawPlane(pen, view, numbers, model, tones, on) {
  const x = [log(Math.min(0.02, 0.8 * Math.min(...model.touched))), 0.06];
  const shares = [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1].filter((share) => log(share) >= x[0]);
  const yTicks = [-3, -2, -1, 0, 1].map((power) => [power, String(+(10 ** power).toFixed(3))]);
  const scale = axes(view.plot, {
    x, y: ERROR, xLabel: "share of the samples that go backward", title: "Added error, over the noise that is there anyway",
    tones, xTicks: shares.map((share) => [log(share), `${+(100 * share).toFixed(1)} %`]), yTicks,
  });
  view.scale = scale;
  line(pen, scale, [[x[0], 0], [x[1], 0]], { color: tones.muted, width: 1.2, dash: [2, 4] });
  const place = (i, group) => [log(model.touched[i]), shown(model.added[2 * i + group])];
  const chain = (kind) => model.ways.map((way, i) => [way, i]).filter(([way]) => way.startsWith(kind) || (kind === "truncated" && way === "exact")).map(([, i]) => i);
  for (const [group, name, color] of [[DECODER, "decoder", tones.target], [ENCODER, "encoder", tones.proposal]]) {
    for (const kind of ["truncated", "resampled"]) {
      const points = chain(kind).map((i) => place(i, group)).sort((a, b) => a[0] - b[0]);
      line(pen, scale, points, { color, width: 1.6, dash: kind === "resampled" ? [6, 4] : [], alpha: on(name) });
    }
    model.ways.forEach((_, i) => {
      const [px, py] = place(i, group).map((value, axis) => (axis ? scale.toY(value) : scale.toX(value)));
      pen.save();
      pen.globalAlpha = on(name);
      if (group === ENCODER) spot(pen, px, py, { color, radius: i === numbers.i ? 6 : 4 });
      else {
        pen.fillStyle = color;
        pen.fillRect(px - 4, py - 4, 8, 8);
      }
      pen.restore();
    });
  }
  const halo = tones.background;
  const last = (kind) => chain(kind).filter((i) => model.ways[i] !== "exact").map((i) => place(i, ENCODER)).sort((a, b) => a[0] - b[0])[0];
  const [tx, ty] = place(chain("truncated").find((i) => model.ways[i] === "truncated_0.001"), ENCODER);
  note(pen, "heaviest first", scale.toX(tx) - 10, scale.toY(ty) + 5, { color: tones.text, align: "right", bold: true, halo });
  const [rx, ry] = last("resampled");
  const free = scale.toX(rx) < (scale.box.left + scale.box.right) / 2; // the other label is far away
  note(pen, scale.box.right - scale.box.left < 420 ? "the noise" : "as much as the noise", scale.box.right - 4, scale.toY(0) + (free ? -6 : 16), { color: tones.muted, align: "right" });
  note(pen, "drawn by weight", scale.toX(rx) + 10, scale.toY(ry) - 8, { color: tones.text, bold: true, halo });
  note(pen, "exact", scale.toX(0) - 26, scale.box.bottom - 5, { color: tones.text, align: "right", bold: true, halo });
  note(pen, "● encoder", scale.box.left + 8, scale.box.bottom - 26, { color: tones.proposal, bold: true, halo });
  note(pen, "■ decoder", scale.box.left + 8, scale.box.bottom - 9, { color: tones.target, bold: true, halo });
}

function drawWeights(pen, sheet, { touched, kind, i }, model, tones, alpha) {
  const K = model.weight.length;
  const top = Math.max(...model.weight) * 1.1;
  const scale = axes(sheet, { x: [0, K], y: [0, top], title: "Weights, largest first (mean)", xLabel: "samples", tones });
  const taken = kind === "resampled" ? 0 : touched * K;
  pen.save();
  pen.fillStyle = tones.weights;
  model.weight.forEach((weight, k) => {
    pen.globalAlpha = alpha * (k < taken ? 0.95 : 0.35);
    const [left, right] = [scale.toX(k), scale.toX(k + 1)];
    pen.fillRect(left, scale.toY(weight), Math.max(1, right - left - (K > 80 ? 0 : 1)), scale.box.bottom - scale.toY(weight));
  });
  pen.restore();
  const said = kind === "resampled" ? model.names[i] : `full color: ${percent(touched)} go backward`;
  note(pen, said, scale.box.right - 2, scale.box.top + 18, { color: tones.text, align: "right", halo: tones.background });
}

function drawClock(pen, sheet, { timed }, { times, timed: ways }, tones, alpha) {
  note(pen, "One step, milliseconds", sheet.left, sheet.top + 14, { color: tones.text, bold: true });
  if (!times) {
    note(pen, "Not measured yet: press", sheet.left + 4, sheet.top + 60, { color: tones.muted });
    note(pen, "“Measure the time” below.", sheet.left + 4, sheet.top + 80, { color: tones.muted });
    return;
  }
  const short = { exact: "all", truncated: "ε = 0.01", resampled: "4 draws" };
  const longest = Math.max(...times.ms.flat());
  const [from, to] = [sheet.left + 62, sheet.left + sheet.width - 44];
  const unit = (sheet.height - 42) / (times.ms.length * (ways.length + 1));
  pen.save();
  pen.globalAlpha = alpha;
  times.ms.forEach((row, net) => {
    const top = sheet.top + 30 + net * (ways.length + 1) * unit;
    const steps = times.steps[net];
    note(pen, steps ? `after ${steps} steps` : "untrained", sheet.left, top + 0.6 * unit, { color: tones.muted });
    row.forEach((ms, i) => {
      const y = top + (i + 0.85) * unit;
      note(pen, short[ways[i].split("_")[0]], from - 6, y + 0.62 * unit, { color: tones.text, align: "right", bold: i === timed });
      pen.fillStyle = i === timed ? tones.bound : tones.muted;
      pen.fillRect(from, y, Math.max(1, ((to - from) * ms) / longest), 0.72 * unit);
      note(pen, digits(ms), from + ((to - from) * ms) / longest + 4, y + 0.62 * unit, { color: tones.text });
    });
  });
  pen.restore();
  note(pen, `this machine, ${times.at}`, sheet.left + sheet.width, sheet.top + sheet.height - 2, { color: tones.muted, align: "right" });
}

function handles({ numbers, model, view }) {
  const { toX, toY } = view.scale;
  return [{
    name: "way", label: "Way backward", tone: "proposal", x: toX(log(numbers.touched)), y: toY(shown(numbers.added[ENCODER])),
    value: numbers.i, low: 0, high: model.ways.length - 1, text: `${model.names[numbers.i]}, ${percent(numbers.touched)} of the samples`,
  }];
}

function drag(name, point, { state, model, view }) {
  const { toX, toY } = view.scale;
  let [best, least] = [0, Infinity];
  model.ways.forEach((_, i) => {
    const away = Math.hypot(toX(log(model.touched[i])) - point.x, toY(shown(model.added[2 * i + ENCODER])) - point.y);
    if (away < least) [best, least] = [i, away];
  });
  return { ...state, way: model.ways[best] };
}

function nudge(name, steps, { state, numbers, model }) {
  const i = Math.max(0, Math.min(model.ways.length - 1, numbers.i + Math.sign(steps)));
  return { ...state, way: model.ways[i] };
}

function formula({ numbers, model }) {
  const { kind, touched } = numbers;
  const K = model.n_samples;
  const sum = { exact: "Σ<sub>k</sub> w̃<sub>k</sub>", truncated: "Σ<sub>k heavy</sub> w̃<sub>k</sub>", resampled: "(1/m) Σ<sub>drawn</sub>" };
  const of = { exact: `all ${K}`, truncated: `${digits(touched * K, 2)} of ${K}`, resampled: model.names[numbers.i] };
  return [
    { symbol: "Δ", value: `error ${digits(numbers.added[ENCODER], 2)} σ`, term: "encoder", role: "proposal" },
    { symbol: "=" },
    { symbol: sum[kind], value: of[kind], term: "weights", role: "weights" },
    { symbol: "∇ log w<sub>k</sub>", value: `backward: ${percent(touched)}` },
  ];
}

const pair = (values) => values.map((value) => digits(value, 2)).join(" | ");

function cards({ state, numbers, model }) {
  const { touched, added, bias, biasError, ofMean, timed } = numbers;
  const exact = state.way === "exact";
  const { times } = model;
  const last = times && times.ms[times.ms.length - 1];
  const told = (card) => (model.told ? card : { label: card.label, value: "?", note: "predict first, above" });
  return [
    { label: "Go backward", value: percent(touched), note: `of ${model.n_samples} samples, on average` },
    { label: "Added error", value: pair(added), note: "encoder | decoder, in noise", help: `Root mean square difference from the exact backward pass on the same draws, ${model.n_repeats} repeats, over the standard deviation of the gradient.` },
    told({ label: "Bias", value: pair(bias), note: exact ? "none" : `± ${pair(biasError)}, in noise`, help: "Mean difference from the exact backward pass over the gradient's standard deviation, with its standard error. Drawing by weight has none: what is shown is chance." }),
    told({ label: "Bias over mean", value: pair(ofMean), note: "of the mean gradient" }),
    {
      label: "Time of a step", value: timed < 0 ? "–" : `${digits(last[timed])} ms`,
      note: !times ? "not measured yet" : timed < 0 ? "timed: all, ε = 0.01, 4 draws" : `exact ${digits(last[0])} ms, now and here`,
    },
    {
      label: "Hold 99 % of the weight", value: times ? percent(times.needed[times.needed.length - 1]) : "–",
      note: times ? `of samples, timed net; untrained ${percent(times.needed[0])}` : "not measured yet",
    },
  ];
}

function says({ numbers, model }) {
  return `${model.names[numbers.i]}: ${percent(numbers.touched)} of the samples go backward; added error ${digits(numbers.added[ENCODER], 2)} of the noise for the encoder, ${digits(numbers.added[DECODER], 2)} for the decoder.`;
}

function table({ model }) {
  const errors = model.told ? ["added", "bias", "bias_error"] : ["added"];
  const rows = model.ways.map((way, i) => [way, model.touched[i], ...errors.flatMap((name) => [model[name][2 * i], model[name][2 * i + 1]])]);
  return [["way", "touched", ...errors.flatMap((name) => [`${name}_encoder`, `${name}_decoder`])], ...rows];
}

export default { decode, compute, height, layout, draw, handles, drag, nudge, formula, cards, says, table };
