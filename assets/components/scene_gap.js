// The gap between the bound and log p(x) closes as K grows: the home page's picture.

import { digits, fixed } from "./numbers.js";
import { axes, band, line, note, segment, spot } from "./plot.js";

const ENTRANCE_MS = 1800;

function decode(meta, arrays) {
  return { ...meta, K: arrays.K.values, bound: arrays.bound.values };
}

const compute = ({ K }, { K: all, bound, log_marginal: truth }) => {
  const i = all.indexOf(K);
  return { i, bound: bound[i], gap: Math.max(0, truth - bound[i]), first: truth - bound[0] };
};

const height = (width) => (width < 500 ? 320 : 380);

function layout({ pen, width, height: tall }, state, numbers, model) {
  const { log_marginal: truth, bound } = model;
  const gap = truth - bound[0];
  const x = [0, Math.log2(model.K[model.K.length - 1])];
  const y = [bound[0] - 0.22 * gap, truth + 0.22 * gap];
  const xTicks = Array.from(model.K, (K) => [Math.log2(K), String(K)]);
  const sheet = { pen, width: width - 14, height: tall };
  return { sheet, range: { x, y, xTicks, xLabel: "K, samples per datapoint", yLabel: "nats" } };
}

function draw(pen, { view, numbers, model, tones, entered }) {
  const scale = axes(view.sheet, { ...view.range, tones });
  view.scale = scale;
  const { log_marginal: truth, bound, K } = model;
  // On arrival the curve grows to where K stands; a fraction of a step is drawn by a straight line.
  const reach = numbers.i * entered;
  const points = [];
  for (let i = 0; i <= Math.ceil(reach); i++) {
    const part = Math.min(1, reach - (i - 1));
    const [x0, y0] = points[points.length - 1] ?? [0, bound[0]];
    points.push([x0 + part * (Math.log2(K[i]) - x0), y0 + part * (bound[i] - y0)]);
  }
  const all = Array.from(K, (each, i) => [Math.log2(each), bound[i]]);
  const truthLine = [[view.range.x[0], truth], [view.range.x[1], truth]];
  band(pen, scale, points, points.map(([x]) => [x, truth]), { color: tones.prior, alpha: 0.2 });
  line(pen, scale, all, { color: tones.bound, width: 1.5, alpha: 0.35 });
  line(pen, scale, truthLine, { color: tones.exact, width: 2, dash: [8, 4] });
  line(pen, scale, points, { color: tones.bound, width: 4 });
  const [x, y] = points[points.length - 1];
  pen.strokeStyle = tones.prior;
  pen.lineWidth = 2;
  segment(pen, scale.toX(x), scale.toY(y), scale.toX(x), scale.toY(truth));
  spot(pen, scale.toX(x), scale.toY(y), { color: tones.bound, radius: 7 });
  note(pen, `exact log p(x) = ${fixed(truth, 3)}`, scale.box.left + 6, scale.toY(truth) - 8, { color: tones.text });
  note(pen, "K = 1: the VAE's bound, the ELBO", scale.box.left + 6, scale.toY(bound[0]) + 20, { color: tones.bound });
}

function handles({ state, numbers, model, view }) {
  const { toX, toY } = view.scale;
  return [{
    name: "K", label: "K, samples per datapoint", tone: "bound",
    x: toX(Math.log2(state.K)), y: toY(numbers.bound),
    value: state.K, low: 1, high: model.K[model.K.length - 1], text: `K = ${state.K}, gap ${digits(numbers.gap)} nats`,
  }];
}

function drag(name, point, { model, view }) {
  const { box } = view.scale;
  const part = (point.x - box.left) / (box.right - box.left);
  return onStop(model, Math.round(part * (model.K.length - 1)));
}

const nudge = (name, steps, { numbers, model }) => onStop(model, numbers.i + Math.sign(steps));

const onStop = ({ K }, stop) => ({ K: K[Math.max(0, Math.min(K.length - 1, stop))] });

function cards({ state, numbers, model }) {
  return [
    { label: "K", value: String(state.K), note: state.K === 1 ? "the ELBO" : "samples per datapoint" },
    { label: "Bound (nats)", value: fixed(numbers.bound, 3), note: `log p(x) = ${fixed(model.log_marginal, 3)}` },
    { label: "Gap (nats)", value: digits(numbers.gap), note: `at K = 1: ${digits(numbers.first)}` },
  ];
}

const says = ({ state, numbers }) => `K = ${state.K}: the bound lacks ${digits(numbers.gap)} nats.`;

const table = ({ model }) => [["K", "bound", "log_p"], ...Array.from(model.K, (K, i) => [K, model.bound[i], model.log_marginal])];

export default { decode, compute, height, layout, draw, handles, drag, nudge, cards, says, table, ENTRANCE_MS };
