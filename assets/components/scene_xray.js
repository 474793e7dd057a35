// Weight x-ray: a digit is drawn, the encoder answers with q, K particles of q are weighed by the decoder,
// all at once in the browser. q is squeezed and moved, K is dragged.

import { contour, levels } from "./contours.js";
import { BLANK, DOTS, dotsOf, flip, inkOf, pixelsOf, SIDE, stroke, touch } from "./drawing.js";
import { decode as decoded, encode, networkOf, posteriorTable, weighed } from "./network.js";
import { digits, fixed, percent } from "./numbers.js";
import { SHARES, SIGMAS } from "./posterior_plane.js";
import { ess, logMeanExp, logNormal, maxWeight, mean, normalize } from "./weights.js";
import { draw, MOST_THUMBS, place, squeezed, trackTo } from "./xray_picture.js";

const MAP = { low: [-4, -4], high: [4, 4] }; // where the coarse table looks for the posterior
const STEP = 0.05;
const BESIDE = 24; // px from the rim of q to a handle, so that no handle hides the particles

function decode(meta, { encoder, decoder, dice, eps, others, places }, before) {
  return {
    ...meta,
    network: networkOf(encoder.values, decoder.values, meta.sizes),
    dice: dice.values, eps: eps.values, others: others.values, places: places.values,
    cursor: before?.cursor ?? null, // of the keyboard, once it is used
  };
}

const DRAFT = 30; // cells of a side while a stroke goes on

// The posterior of the last drawing: it changes with the drawing and the network alone.
let last = { key: "" };

function posterior(model, code, x) {
  const n = code === model.state.digit ? model.table_cells : DRAFT;
  const key = `${model.name_of_network} ${n} ${code}`;
  if (last.key !== key) {
    const table = posteriorTable(model.network, x, { ...MAP, n });
    const edges = levels(table.values, SHARES).map((level) => contour(table.values, table.n, table.n, level));
    last = { key, table: { ...table, p: table.values }, edges, encoder: encode(model.network, x) };
  }
  return last;
}

function compute(state, model) {
  const ink = inkOf(state.digit);
  const x = pixelsOf(state.digit, model.dice);
  const { table, edges, encoder } = posterior(model, state.digit, x);
  const q = {
    loc: [encoder.loc[0] + state.dx, encoder.loc[1] + state.dy],
    scale: [encoder.scale[0] * state.squeeze, encoder.scale[1] * state.squeeze],
  };
  const K = Math.round(state.K);
  const { z, logW } = weighed(model.network, x, q, model.eps.subarray(0, 2 * K));
  const w = normalize(logW);
  const order = Array.from(w.keys()).sort((i, j) => w[j] - w[i] || i - j);
  const top = order.slice(0, MOST_THUMBS).map((k) => ({
    k, share: w[k], image: decoded(model.network, [z[2 * k], z[2 * k + 1]]),
  }));
  const held = top.reduce((sum, { share }) => sum + share, 0);
  const blend = new Float64Array(SIDE * SIDE);
  for (const { share, image } of top) image.forEach((value, i) => (blend[i] += (share / held) * value));
  return {
    K, ink, dots: dotsOf(state.digit), x, q, z, logW, w, order, top, blend, table, edges,
    ess: ess(logW), largest: maxWeight(logW), elbo: mean(logW), bound: logMeanExp(logW),
  };
}

function handles({ state, numbers, model, view }) {
  const { plane, tracks } = view;
  const { q, K } = numbers;
  const { max_shift: far, squeeze: [low, high] } = model.limits;
  const inside = (px, least, most) => Math.max(least + 22, Math.min(most - 22, px));
  const at = (right, up) => ({
    x: inside(plane.toX(q.loc[0]) + right, plane.left, plane.right),
    y: inside(plane.toY(q.loc[1]) - up, plane.top, plane.bottom),
  });
  const rim = (axis) => SIGMAS[1] * q.scale[axis] * plane.unit + BESIDE;
  const limits = { low: -far, high: far };
  return [
    { name: "shift", label: "Move q, along z₁ by keys", ...at(rim(0), 0), value: state.dx, ...limits, text: `moved by ${digits(state.dx)} and ${digits(state.dy)}` },
    { name: "lift", label: "Move q along z₂", ...at(0, rim(1)), value: state.dy, ...limits, text: `moved by ${digits(state.dy)}`, shape: "tall" },
    {
      name: "K", label: "K, particles", tone: "weights", value: K, low: 1, high: model.limits.samples,
      x: trackTo(tracks.K, Math.log(K) / Math.log(model.limits.samples)), y: tracks.K.y, text: `K = ${K}`,
    },
    {
      name: "squeeze", label: "Width of q, times the encoder's", shape: "wide", value: state.squeeze, low, high,
      x: trackTo(tracks.squeeze, squeezed(state.squeeze, model)), y: tracks.squeeze.y, text: `${digits(state.squeeze)} times`,
    },
  ];
}

const held = (value, low, high, step = 0.01) => +Math.max(low, Math.min(high, Math.round(value / step) * step)).toFixed(3);
const moved = (state, dx, dy, { limits: { max_shift: far } }) => ({ ...state, dx: held(dx, -far, far), dy: held(dy, -far, far) });
const withK = (state, K, { limits }) => ({ ...state, K: Math.max(1, Math.min(limits.samples, Math.round(K))) });
const withWidth = (state, factor, { limits: { squeeze: [low, high] } }) => ({ ...state, squeeze: held(factor, low, high) });

function drag(name, point, { state, model, view, numbers }) {
  const { plane, tracks } = view;
  const part = ({ left, right }) => Math.max(0, Math.min(1, (point.x - left) / (right - left)));
  if (name === "K") return withK(state, model.limits.samples ** part(tracks.K), model);
  if (name === "squeeze") {
    const [low, high] = model.limits.squeeze;
    return withWidth(state, low * (high / low) ** part(tracks.squeeze), model);
  }
  const { q } = numbers;
  const rim = (axis) => SIGMAS[1] * q.scale[axis] + BESIDE / plane.unit;
  const [z1, z2] = plane.toZ(point);
  const [home1, home2] = [q.loc[0] - state.dx, q.loc[1] - state.dy];
  if (name === "lift") return moved(state, state.dx, z2 - rim(1) - home2, model);
  return moved(state, z1 - rim(0) - home1, z2 - home2, model);
}

function nudge(name, steps, { state, model, numbers }) {
  if (name === "K") {
    const next = numbers.K * 1.12 ** steps;
    return withK(state, steps > 0 ? Math.ceil(next) : Math.floor(next), model);
  }
  if (name === "squeeze") return withWidth(state, state.squeeze * 1.05 ** steps, model);
  if (name === "shift") return moved(state, state.dx + steps * STEP, state.dy, model);
  return moved(state, state.dx, state.dy + steps * STEP, model);
}

// The pad: strokes of a pen or a rubber.

const pad = ({ view: { pad: { left, top, side } } }) => ({
  left, top, width: side, height: side,
  label: "Drawing pad, counted in 8 by 8 pixels. Arrow keys choose a pixel, Space fills or empties it, plus and minus change its ink.",
});
const paints = () => true;

function paint(from, to, { state, view: { pad: { left, top, side } } }) {
  const at = ({ x, y }) => [((x - left) / side) * DOTS, ((y - top) / side) * DOTS];
  return { ...state, digit: stroke(state.digit, at(from), at(to), state.pen === "rubber") };
}

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function paintKey(key, { state, model }) {
  const cursor = model.cursor ?? [3, 3];
  const at = cursor[1] * SIDE + cursor[0];
  if (ARROWS[key]) {
    model.cursor = cursor.map((place, axis) => Math.max(0, Math.min(SIDE - 1, place + ARROWS[key][axis])));
    return { ...state };
  }
  model.cursor = cursor;
  if (key === " " || key === "Enter") return { ...state, digit: flip(state.digit, at) };
  if (key === "+" || key === "=") return { ...state, digit: touch(state.digit, at, 4) };
  if (key === "-") return { ...state, digit: touch(state.digit, at, -4) };
  return null;
}

function paintSays({ state, model: { cursor }, numbers }) {
  const seen = numbers.x[cursor[1] * SIDE + cursor[0]] ? "black" : "white";
  return `Row ${cursor[1] + 1}, column ${cursor[0] + 1}: ${seen}.`;
}

function buttons({ state }) {
  return [
    { name: "pen", label: "Pen", pressed: state.pen === "pen" },
    { name: "rubber", label: "Rubber", pressed: state.pen === "rubber" },
    { name: "clear", label: "Clear" },
    { name: "back", label: "q as the encoder says" },
    { name: "zoom", label: "Zoom to q", pressed: Boolean(state.zoom) },
  ];
}

function press(name, { state }) {
  if (name === "clear") return { ...state, digit: BLANK };
  if (name === "back") return { ...state, squeeze: 1, dx: 0, dy: 0 };
  if (name === "zoom") return { ...state, zoom: !state.zoom };
  return { ...state, pen: name };
}

function formula({ numbers }) {
  const { K, order, z, logW, q } = numbers;
  const first = order[0];
  const [logQ1, logQ2] = [0, 1].map((i) => logNormal(z[2 * first + i], q.loc[i], q.scale[i]));
  const logQ = logQ1 + logQ2;
  return [
    { symbol: `L<sub>${K}</sub>`, value: fixed(numbers.bound), term: "bound", role: "bound" },
    { symbol: "= log" },
    { symbol: `1/${K}` },
    { symbol: "<span class='sum'>Σ</span><sub>k</sub>" },
    { symbol: "w<sub>k</sub>", value: `${digits(numbers.ess)} of ${K} count`, term: "weights", role: "weights" },
    { symbol: "," },
    { symbol: "log w<sub>1</sub> =", value: fixed(logW[first]) },
    { symbol: "log p(x, z<sub>1</sub>)", value: fixed(logW[first] + logQ), term: "target", role: "target" },
    { symbol: "−" },
    { symbol: "log q(z<sub>1</sub>|x)", value: fixed(logQ), term: "proposal", role: "proposal" },
  ];
}

function cards({ numbers, model, fresh }) {
  const { K } = numbers;
  const { report } = model;
  const later = "exact on release";
  return [
    { label: "ESS", value: digits(numbers.ess), note: `of ${K} particles`, help: "Effective number of particles, (Σ w)² / Σ w²: how many of equal weight would say as much." },
    { label: "Heaviest", value: percent(numbers.largest), note: `equal share ${percent(1 / K)}` },
    {
      label: "k-hat", value: fresh ? report.k_hat : "…", note: fresh ? report.verdict : later, exact: true,
      help: "Tail shape of the weights, fitted to the largest. Above 0.7 do not trust the average.",
    },
    { label: "L₁, these particles", value: fixed(numbers.elbo), note: "nats, mean of log w", help: "Estimates the ELBO: each particle scored alone." },
    {
      label: `L_K, this draw`, value: fixed(numbers.bound), note: fresh ? report.mean_of_others : later,
      help: "Log of the mean weight. One draw may pass log p(x), the mean over draws may not: gray dots are other draws.",
    },
    {
      label: "log p(x)", value: fresh ? fixed(report.log_marginal) : `≈ ${fixed(numbers.table.logMarginal)}`, exact: true,
      note: fresh ? report.rank : later,
      help: `By quadrature over the latent plane; a coarser rule lies ${report.error} nats off. Compared with ${model.n_digits} test digits under the same network.`,
    },
  ];
}

function says({ numbers, model }) {
  return `${digits(numbers.ess)} of ${numbers.K} particles carry the answer; the heaviest has ${percent(numbers.largest)}. L_K ${fixed(numbers.bound)}, log p(x) ${fixed(model.report.log_marginal)}, ${model.report.rank}.`;
}

function table({ numbers }) {
  const rows = numbers.order.map((k, i) => [i + 1, k + 1, numbers.z[2 * k], numbers.z[2 * k + 1], numbers.logW[k], numbers.w[k]]);
  return [["rank", "particle", "z_1", "z_2", "log_w", "share"], ...rows];
}

const height = (width) => place(width).height;
const layout = ({ pen, width }, state, numbers, model) => place(width, { pen, state, model });

export default {
  decode, compute, height, layout, draw, handles, drag, nudge, paint, paintKey, paints, paintSays, pad,
  buttons, press, formula, cards, says, table,
};
