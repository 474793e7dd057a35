// The bound against K, in layers, with q dragged over the posterior beside it.

import { digits, fixed, percent } from "./numbers.js";
import { draw, yes } from "./sandwich_picture.js";
import { gaussianKl, gaussianLogSquare, mismatched } from "./weights.js";

const REACH = 2.2; // of the window on z, around the posterior's mean
const LIMITS = { shift: [-3, 3], scale: [0.4, 3] };
const STEP = 0.05;

function decode(meta, arrays) {
  const rows = (name) => {
    const found = arrays[name];
    const count = meta.layers.length ? found.shape[1] : 0;
    return Object.fromEntries(meta.layers.map((layer, i) => [layer, found.values.subarray(i * count, (i + 1) * count)]));
  };
  const plain = ["K", "bound", "std_error", "low", "high", "elbo_low", "elbo_high", "counts", "edges"];
  return {
    ...meta, ...Object.fromEntries(plain.map((name) => [name, arrays[name].values])),
    ghosts: arrays.ghosts, layerK: arrays.layer_K?.values,
    expected: rows("expected"), resolution: rows("resolution"), layerLow: rows("layer_low"), layerHigh: rows("layer_high"),
    truth: meta.log_marginal,
  };
}

const zero = (nats) => (Math.abs(nats) > 1e-9 ? nats : 0); // rounding of numbers near one is no gap

function compute({ K, shift, scale, correlated }, model) {
  const q = mismatched(model.posterior, shift, scale, Boolean(correlated));
  const kl = gaussianKl(q, model.posterior);
  const variance = Math.max(0, Math.expm1(gaussianLogSquare(model.posterior, q)));
  const same = ["shift", "scale", "correlated"].every((name) => String({ shift, scale, correlated }[name]) === String(model.state[name]));
  return { K, q, kl: zero(kl), elbo: model.truth - kl, variance, same, bound: standing(K, model) };
}

// Where the curve of the report stands at K, between its stops by a straight line.
function standing(K, { K: all, bound }) {
  const place = Math.log2(K);
  const left = Math.min(Math.floor(place), all.length - 2);
  return bound[left] + (place - left) * (bound[left + 1] - bound[left]);
}

const narrow = (width) => width < 500;
const MAIN = 380;
const height = (width) => MAIN + (narrow(width) ? 560 : 290);

function layout({ pen, width, height: tall }, state, numbers, model) {
  const split = narrow(width);
  const main = { pen, left: 0, top: 0, width: width - 16, height: MAIN - 46 };
  const half = split ? width : Math.round(width / 2) - 10;
  const plane = { pen, left: 0, top: MAIN + 10, width: half, height: 270 };
  const runs = split
    ? { pen, left: 0, top: MAIN + 290, width, height: 260 }
    : { pen, left: half + 20, top: MAIN + 10, width: width - half - 20, height: 270 };
  return { main, plane, runs, map: square(plane, model) };
}

// Equal scales on both latents.
function square(box, { posterior: { mean } }) {
  const side = Math.min(box.width, box.height - 24) / 2;
  const [x, y] = [box.left + box.width / 2, box.top + 24 + side];
  const unit = side / REACH;
  return {
    unit, box: { left: x - side, right: x + side, top: y - side, bottom: y + side },
    toX: (z) => x + (z - mean[0]) * unit,
    toY: (z) => y - (z - mean[1]) * unit,
    toZ: (point) => [mean[0] + (point.x - x) / unit, mean[1] - (point.y - y) / unit],
  };
}

// The width handle stands on q's ellipse of two deviations, straight above its center.
const above = (model, scale) => {
  const [[a, b], [, d]] = model.posterior.covariance;
  return 2 * scale * Math.sqrt(d - (b * b) / a);
};

function handles({ state, numbers, model, view }) {
  const { map, scale, knob } = view;
  const [x, y] = numbers.q.mean;
  const inside = (value, low, high) => Math.max(low, Math.min(high, value));
  const top = inside(map.toY(y + above(model, state.scale)), map.box.top, map.box.bottom);
  return [
    {
      name: "K", label: "K, samples per run", tone: "bound", x: scale.toX(knob[0]), y: inside(scale.toY(knob[1]), scale.box.top, scale.box.bottom),
      value: state.K, low: 1, high: model.stops[model.stops.length - 1], text: `K = ${state.K}`,
    },
    {
      name: "center", label: "Center of q, shift in posterior deviations", x: map.toX(x), y: map.toY(y),
      value: state.shift, low: LIMITS.shift[0], high: LIMITS.shift[1], text: fixed(state.shift),
    },
    {
      name: "width", label: "Scale of q, times the posterior's", x: map.toX(x), y: top, shape: "tall",
      value: state.scale, low: LIMITS.scale[0], high: LIMITS.scale[1], text: fixed(state.scale),
    },
  ];
}

function settle(name, value) {
  const [low, high] = LIMITS[name];
  return +Math.max(low, Math.min(high, Math.round(value / STEP) * STEP)).toFixed(2);
}

function drag(name, point, { state, numbers, model, view }) {
  if (name === "K") {
    const { toX } = view.scale;
    const wanted = 10 ** ((point.x - toX(0)) / (toX(1) - toX(0)));
    const near = (one, other) => (Math.abs(Math.log(one / wanted)) < Math.abs(Math.log(other / wanted)) ? one : other);
    return { ...state, K: model.stops.reduce(near) };
  }
  const [x, y] = view.map.toZ(point);
  if (name === "width") return { ...state, scale: settle("scale", (y - numbers.q.mean[1]) / above(model, 1)) };
  const { mean, covariance: [[a, b]] } = model.posterior;
  const root = Math.sqrt(a);
  const [u, v] = [root, b / root]; // the shift goes along this direction
  return { ...state, shift: settle("shift", ((x - mean[0]) * u + (y - mean[1]) * v) / (u * u + v * v)) };
}

function nudge(name, steps, { state, model }) {
  if (name === "center") return { ...state, shift: settle("shift", state.shift + steps * STEP) };
  if (name === "width") return { ...state, scale: settle("scale", state.scale + steps * STEP) };
  const next = steps > 0 ? model.stops.find((K) => K > state.K) : model.stops.findLast((K) => K < state.K);
  return { ...state, K: next ?? state.K };
}

function buttons({ state }) {
  const pressed = (name) => yes(state[name]);
  return [
    { name: "gap", label: "Gap, log scale", pressed: pressed("gap") },
    { name: "upper", label: "Upper bound", pressed: pressed("upper") },
    { name: "jackknife", label: "Jackknife", pressed: pressed("jackknife") },
    { name: "renyi", label: "Renyi", pressed: pressed("renyi") },
    { name: "correlated", label: "q correlated", pressed: pressed("correlated") },
  ];
}

const press = (name, { state }) => ({ ...state, [name]: !yes(state[name]) });

function formula({ state, numbers, model, fresh }) {
  const mean = "<span class='sum'>Σ</span><sub>k</sub>";
  return [
    { symbol: "ELBO", value: fixed(numbers.elbo, 3), term: "elbo", role: "bound" },
    { symbol: "=" },
    { symbol: `E[ 1/K ${mean} log w<sub>k</sub> ]`, value: "log inside" },
    { symbol: "≤" },
    { symbol: `L<sub>K</sub>`, value: fresh ? fixed(model.report.bound, 3) : "…", term: "bound", role: "bound" },
    { symbol: "=" },
    { symbol: `E[ log 1/K ${mean} w<sub>k</sub> ]`, value: `K = ${state.K}` },
    { symbol: "≤" },
    { symbol: "log p(x)", value: fixed(model.truth, 3), term: "exact", role: "exact" },
  ];
}

function cards({ state, numbers, model, fresh }) {
  const { report } = model;
  const gap = zero(report.gap);
  const limit = Number.isFinite(numbers.variance) ? `tends to ${digits(numbers.variance / 2)}` : "no finite limit";
  return [
    {
      label: "Bound (nats)", value: fresh ? fixed(report.bound, 3) : "…", exact: true,
      note: fresh ? `± ${digits(report.std_error, 1)}, K = ${state.K}` : `K = ${state.K}`,
      help: `Mean of ${report.n_runs} runs and its standard error.`,
    },
    { label: "Gap (nats)", value: fresh ? digits(gap) : "…", exact: true, note: `ELBO: ${digits(numbers.kl)}` },
    {
      label: "Gap times K", value: fresh ? digits(zero(gap * state.K)) : "…", exact: true, note: limit,
      help: "If the gap closes like 1/K this settles at Var(w) / (2 p(x)²).",
    },
    { label: "Above log p(x)", value: fresh ? percent(report.share_above) : "…", exact: true, note: "of single runs" },
  ];
}

function says({ state, numbers, model }) {
  return `K = ${state.K}: the bound is ${fixed(model.report.bound, 3)}, ${digits(zero(model.report.gap))} nats below log p(x). The ELBO lacks ${digits(numbers.kl)}.`;
}

function table({ model }) {
  const rows = Array.from(model.K, (K, i) => [K, model.bound[i], model.std_error[i], model.low[i], model.high[i]]);
  return [["K", "bound", "std_error", "low_5", "high_95"], ...rows];
}

export default { decode, compute, height, layout, draw, handles, drag, nudge, formula, cards, buttons, press, says, table };
