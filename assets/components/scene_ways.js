// K = 1: the ELBO three ways. Each draw gives three estimates; their means agree, their spreads do not.

import { digits, fixed } from "./numbers.js";
import { axes, band, line, note, spot } from "./plot.js";
import { meanAndError } from "./weights.js";

const BINS = 44;
const MOST = 4096;
const STYLES = [
  { role: "proposal", dash: [], short: "closed-form KL" },
  { role: "prior", dash: [8, 4], short: "Monte-Carlo KL" },
  { role: "weights", dash: [2, 3], short: "log w" },
];

function decode(meta, { draws, bins }) {
  const [rows, count] = draws.shape;
  const each = Array.from({ length: rows }, (_, i) => draws.values.subarray(i * count, (i + 1) * count));
  return { ...meta, draws: each, range: [bins.values[0], bins.values[1]] };
}

function compute(state, model) {
  const n = Number(state.draws);
  return { n, ways: model.draws.map((draws) => meanAndError(draws, n)) };
}

const narrow = (width) => width < 760;
const ROW = 92;
const height = (width) => (narrow(width) ? 3 * ROW + 384 : 420);

function layout({ pen, width, height: tall }) {
  const split = narrow(width);
  const wide = split ? width : Math.round(width * 0.5);
  const rows = STYLES.map((_, i) => ({ left: 8, right: wide - 12, top: 36 + i * ROW, bottom: 36 + (i + 1) * ROW - 30 }));
  const path = split
    ? { pen, left: 0, top: 3 * ROW + 70, width: width - 6, height: tall - 3 * ROW - 70 }
    : { pen, left: wide + 20, top: 0, width: width - wide - 26, height: tall };
  return { rows, path };
}

function draw(pen, { view, numbers, model, tones, mark }) {
  const on = (term) => (mark === null || mark === term ? 1 : 0.25);
  drawRows(pen, view, numbers, model, tones, on);
  drawPaths(pen, view, numbers, model, tones, on);
}

function drawRows(pen, { rows }, numbers, model, tones, on) {
  const [low, high] = model.range;
  const { left, right } = rows[0];
  const toX = (nats) => left + ((nats - low) / (high - low)) * (right - left);
  note(pen, "One draw each way, nats", left, 14, { color: tones.text, bold: true });
  const last = rows[rows.length - 1].bottom;
  const upright = (x, dash, color) =>
    line(pen, { toX: (v) => v, toY: (v) => v }, [[toX(x), rows[0].top], [toX(x), last + 8]], { color, width: 2, dash });
  upright(model.log_marginal, [8, 4], tones.exact);
  upright(model.elbo, [2, 3], tones.bound);
  rows.forEach((row, i) => {
    const { role, short } = STYLES[i];
    const counts = new Array(BINS).fill(0);
    for (const draw of model.draws[i].subarray(0, numbers.n)) {
      const bin = Math.floor(((draw - low) / (high - low)) * BINS);
      counts[Math.max(0, Math.min(BINS - 1, bin))]++;
    }
    const most = Math.max(...counts);
    const unit = (row.right - row.left) / BINS;
    pen.save();
    pen.globalAlpha = 0.6 * on(role);
    pen.fillStyle = tones[role];
    counts.forEach((count, bin) => {
      const tall = (count / most) * (row.bottom - row.top - 4);
      pen.fillRect(row.left + bin * unit, row.bottom - tall, unit - 1, tall);
    });
    pen.restore();
    const { mean } = numbers.ways[i];
    const spread = model.ways[i].spread;
    line(pen, { toX, toY: (v) => v }, [[Math.max(low, mean - spread), row.bottom + 7], [Math.min(high, mean + spread), row.bottom + 7]], { color: tones[role], width: 3 });
    spot(pen, toX(mean), row.bottom + 7, { color: tones[role], radius: 5 });
    note(pen, `${short}: spread ${digits(zero(spread))}`, row.left, row.top + 8, { color: tones[role], bold: true, halo: tones.background });
  });
  const halo = tones.background;
  note(pen, "ELBO", toX(model.elbo) - 4, last + 26, { color: tones.bound, align: "right", halo });
  note(pen, "log p(x)", toX(model.log_marginal) + 4, last + 26, { color: tones.text, halo });
}

const zero = (nats) => (Math.abs(nats) > 1e-9 ? nats : 0);
const log = Math.log10;

function stops(n) {
  const found = new Set();
  for (let i = 0; i <= 120; i++) found.add(Math.max(2, Math.round(n ** (i / 120))));
  return [...found];
}

function drawPaths(pen, view, numbers, model, tones, on) {
  const all = stops(MOST);
  const widest = Math.max(...model.ways.map(({ spread }) => spread));
  const reach = Math.max(1.3 * widest, 0.05);
  const y = [model.elbo - reach, model.elbo + reach];
  const xTicks = [1, 10, 100, 1000].map((n) => [log(n), n.toLocaleString("en-US")]);
  const scale = axes(view.path, { x: [log(2), log(MOST)], y, xLabel: "draws averaged (log scale)", title: "Their means, in nats", tones, xTicks: xTicks.slice(1) });
  view.scale = scale;
  const { box } = scale;
  pen.save();
  pen.beginPath();
  pen.rect(box.left, box.top, box.right - box.left, box.bottom - box.top);
  pen.clip();
  model.ways.forEach(({ spread }, i) => {
    const { role } = STYLES[i];
    const edge = (side) => all.map((n) => [log(n), model.elbo + (side * spread) / Math.sqrt(n)]);
    band(pen, scale, edge(-1), edge(1), { color: tones[role], alpha: 0.1 * on(role) });
  });
  line(pen, scale, [[log(2), model.elbo], [log(MOST), model.elbo]], { color: tones.exact, width: 1.5, dash: [8, 4], alpha: on("exact") });
  line(pen, scale, [[log(2), model.log_marginal], [log(MOST), model.log_marginal]], { color: tones.muted, width: 1, dash: [2, 3] });
  model.draws.forEach((draws, i) => {
    const { role, dash } = STYLES[i];
    const sums = running(draws, numbers.n);
    const points = all.filter((n) => n <= numbers.n).map((n) => [log(n), sums[n - 1]]);
    line(pen, scale, points, { color: tones[role], dash, width: 2.2, alpha: on(role) });
  });
  pen.restore();
  note(pen, `exact ELBO ${fixed(model.elbo, 3)}`, box.right - 4, scale.toY(model.elbo) + 16, { color: tones.text, align: "right", halo: tones.background });
  note(pen, "log p(x)", box.right - 4, scale.toY(model.log_marginal) - 5, { color: tones.muted, align: "right", halo: tones.background });
  note(pen, "bands: exact spread / √draws", box.right - 4, box.bottom - 8, { color: tones.muted, align: "right", halo: tones.background });
}

function running(draws, n) {
  const means = new Float64Array(n);
  let sum = 0;
  for (let i = 0; i < n; i++) {
    sum += draws[i];
    means[i] = sum / (i + 1);
  }
  return means;
}

function handles({ numbers, view, model }) {
  const { toX, toY, box } = view.scale;
  const y = toY(numbers.ways[2].mean);
  return [{
    name: "draws", label: "Draws that each way averages", tone: "weights",
    x: toX(log(numbers.n)), y: Math.max(box.top, Math.min(box.bottom, y)),
    value: numbers.n, low: 2, high: MOST, text: `${numbers.n} draws, mean of log w ${fixed(numbers.ways[2].mean, 3)}`,
  }];
}

function near(state, wanted, { stops: all }) {
  const closer = (one, other) => (Math.abs(Math.log(one / wanted)) < Math.abs(Math.log(other / wanted)) ? one : other);
  return { ...state, draws: all.reduce(closer) };
}

function drag(name, point, { state, model, view }) {
  const { toX } = view.scale;
  return near(state, 10 ** ((point.x - toX(0)) / (toX(1) - toX(0))), model);
}

function nudge(name, steps, { state, numbers, model }) {
  const next = steps > 0 ? model.stops.find((n) => n > numbers.n) : model.stops.findLast((n) => n < numbers.n);
  return { ...state, draws: next ?? numbers.n };
}

function formula({ numbers, model }) {
  const value = (i) => fixed(numbers.ways[i].mean, 3);
  return [
    { symbol: "mean log p(x | z) − KL(q ‖ p(z))", value: value(0), term: STYLES[0].role, role: STYLES[0].role },
    { symbol: "≈" },
    { symbol: "mean log p(x | z) − log (q(z′) / p(z′))", value: value(1), term: STYLES[1].role, role: STYLES[1].role },
    { symbol: "≈" },
    { symbol: "mean log w", value: value(2), term: STYLES[2].role, role: STYLES[2].role },
    { symbol: "→" },
    { symbol: "ELBO", value: fixed(model.elbo, 3), term: "exact", role: "bound" },
  ];
}

function cards({ numbers, model }) {
  const way = (i) => ({
    label: model.ways[i].title, value: fixed(numbers.ways[i].mean, 3),
    note: `± ${digits(zero(numbers.ways[i].error), 2)}; exact ± ${digits(zero(model.ways[i].spread / Math.sqrt(numbers.n)), 2)}`,
    help: "Mean of the draws, the error they report, and the exact one.",
  });
  return [
    way(0), way(1), way(2),
    { label: "KL(q ‖ prior)", value: fixed(model.kl, 3), note: "closed form, nats" },
    { label: "Gradient spread", value: digits(zero(model.gradient)), note: "of log w, one draw", help: "Standard deviation of the gradient of log w for q's mean, exact." },
    { label: "Without q's score", value: digits(zero(model.path_gradient)), note: "sticking the landing", help: "The same cancellation, in the gradient: zero where q has the posterior's covariance." },
  ];
}

function says({ numbers, model }) {
  const told = numbers.ways.map((way, i) => `${model.ways[i].title}: ${fixed(way.mean, 3)}`);
  return `${numbers.n} draws. ${told.join(". ")}. Exact: ${fixed(model.elbo, 3)}.`;
}

function table({ model }) {
  const rows = Array.from(model.draws[0], (_, k) => [k + 1, ...model.draws.map((draws) => draws[k])]);
  return [["draw", "closed_form_kl", "monte_carlo_kl", "log_weight"], ...rows];
}

export default { decode, compute, height, layout, draw, handles, drag, nudge, formula, cards, says, table };
