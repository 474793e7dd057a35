// What *Borrowed samples* draws: p and q, the weights as stems, the estimate as it forms, log weights.

import { isDrawn, knotOf } from "./drawn_target.js";
import { percent } from "./numbers.js";
import { axes, band, curve, extent, histogram, line, note, readable, segment, spot } from "./plot.js";
import { integrand } from "./weights.js";

export function draw(pen, { view, state, numbers, model, tones, mark, fresh }) {
  const { main } = view;
  const on = (term) => (mark === null || mark === term ? 1 : 0.25);
  pen.save();
  pen.beginPath();
  pen.rect(0, 0, view.upper.width, view.upper.height + 1);
  pen.clip();
  const pairs = (ys) => Array.from(ys, (y, i) => [model.grid[i], y]);
  curve(pen, main, pairs(numbers.p), { color: tones.target, fill: 0.13, alpha: on("target") });
  curve(pen, main, pairs(numbers.qCurve), { color: tones.proposal, fill: 0.1, dash: [9, 5], alpha: on("proposal") });
  pen.restore();
  drawQuestion(pen, view, model, tones, on("f"));
  if (isDrawn(state, model)) {
    const z = knotOf(state, model);
    const height = numbers.p[model.grid.findIndex((point) => point >= z)];
    spot(pen, main.toX(z), main.toY(height), { color: tones.target, radius: 5, hollow: true });
    note(pen, "draw p here", main.right - 4, 36, { color: tones.target, align: "right" });
  }
  const name = (text, tone, x, y) => note(pen, text, x, y, { color: tone, bold: true });
  name("p, the target", tones.target, main.left + 4, 16);
  name("q, the proposal", tones.proposal, main.left + 4, 36);
  drawStems(pen, view, numbers, model, tones, on("weights"));
  drawPath(pen, view.path, numbers, model, tones, fresh, on("path"));
  drawBins(pen, view.bins, numbers, tones);
}

// The integrand, scaled to fit: its shape matters, not its height.
function drawQuestion(pen, { main, top }, model, tones, alpha) {
  const values = model.grid.map((z) => integrand(model.f, z));
  const size = Math.max(...Array.from(values, Math.abs)) || 1;
  const points = Array.from(values, (value, i) => [model.grid[i], (top * 0.9 * Math.max(0, value)) / size]);
  line(pen, main, points, { color: tones.muted, width: 1.2, dash: [2, 3], alpha: 0.8 * alpha });
  note(pen, `f(z) = ${model.f_title}, scaled`, main.right - 4, 16, { color: tones.muted, align: "right" });
}

function drawStems(pen, { stems, main, window }, numbers, model, tones, alpha) {
  const [high, low] = [stems.top + 20, stems.top + stems.height - 22];
  pen.strokeStyle = tones.muted;
  pen.lineWidth = 1;
  segment(pen, main.left, low, main.right, low);
  const tallest = numbers.largest || 1;
  // One stem for each column of pixels, the heaviest there: more would only be painted over.
  const columns = new Map();
  const outside = [0, 0];
  for (let k = 0; k < model.K; k++) {
    const z = numbers.z[k];
    if (z < window[0] || z > window[1]) {
      outside[z > window[1] ? 1 : 0]++;
      continue;
    }
    const column = Math.round(main.toX(z) * 2) / 2;
    const w = numbers.w[k];
    if (!(columns.get(column) >= w)) columns.set(column, w);
  }
  const toY = (w) => low - (w / tallest) * (low - high);
  pen.save();
  pen.globalAlpha = alpha;
  pen.fillStyle = tones.weights;
  const thick = model.K > 400 ? 1 : 1.6; // rectangles: a path of a thousand strokes is slow
  for (const [x, w] of columns) {
    const tall = Math.max(1, low - toY(w));
    pen.fillRect(x - thick / 2, low - tall, thick, tall);
  }
  pen.fillStyle = tones.proposal;
  for (const x of columns.keys()) pen.fillRect(x - 1, low, 2, 4); // where the draws are
  pen.restore();
  const named = []; // names that would cover each other are left out, the heavier one stays
  numbers.top.forEach((k, place) => {
    const z = Math.max(window[0], Math.min(window[1], numbers.z[k]));
    const [x, y] = [main.toX(z), toY(numbers.w[k])];
    spot(pen, x, y, { color: tones.weights, radius: 3.5 });
    if (named.some((other) => Math.abs(other - x) < 13)) return;
    named.push(x);
    note(pen, String(place + 1), x, y - 6, { color: tones.text, align: "center", bold: true });
  });
  note(pen, "the weights", main.left + 4, stems.top + 22, { color: tones.weights, bold: true });
  const scale = `tallest: ${percent(numbers.largest)}`;
  note(pen, scale, main.left + 4, stems.top + 40, { color: tones.muted });
  for (let z = window[0] + 2; z < window[1]; z += 2) {
    note(pen, readable(z), main.toX(z), low + 18, { color: tones.muted, align: "center" });
  }
  const away = (count, side) => `${count} draw${count > 1 ? "s" : ""} ${side}`;
  if (outside[0]) note(pen, away(outside[0], "◂"), main.left, low - 4, { color: tones.muted });
  if (outside[1]) note(pen, away(outside[1], "▸"), main.right, low - 4, { color: tones.muted, align: "right" });
}

function drawPath(pen, box, numbers, model, tones, fresh, alpha) {
  const { values, errors } = numbers.path;
  const K = model.K;
  const stops = spaced(K);
  const late = stops.filter((n) => n >= Math.min(8, K));
  const seen = late.flatMap((n) => [values[n - 1] - errors[n - 1], values[n - 1] + errors[n - 1]]);
  const ghosts = fresh && model.ghosts ? model.ghosts : null;
  const range = extent([...seen.filter(Number.isFinite), model.exact, values[K - 1]], 0.12);
  const scale = axes(
    { pen, ...box },
    { x: [0, Math.log10(Math.max(K, 2))], y: range, xLabel: "draws used (log scale)", tones, xTicks: decades(K), title: "The estimate forms" },
  );
  const path = (value) => stops.map((n) => [Math.log10(n), value(n - 1)]);
  pen.save();
  pen.beginPath();
  pen.rect(scale.box.left, scale.box.top, scale.box.right - scale.box.left, scale.box.bottom - scale.box.top);
  pen.clip();
  if (ghosts) {
    const [rows, count] = ghosts.shape;
    for (let g = 0; g < count; g++) {
      const points = Array.from({ length: rows }, (_, i) => [Math.log10(model.n.values[i]), ghosts.values[i * count + g]]);
      line(pen, scale, points, { color: tones.muted, width: 0.7, alpha: count > 50 ? 0.16 : 0.3 });
    }
  }
  const low = path((i) => values[i] - errors[i]).filter(([, y]) => Number.isFinite(y));
  const high = path((i) => values[i] + errors[i]).filter(([, y]) => Number.isFinite(y));
  band(pen, scale, low, high, { color: tones.weights, alpha: 0.18 * alpha });
  line(pen, scale, [[0, model.exact], [Math.log10(Math.max(K, 2)), model.exact]], { color: tones.exact, width: 1.5, dash: [8, 4] });
  line(pen, scale, path((i) => values[i]), { color: tones.weights, width: 2, alpha });
  pen.restore();
  note(pen, `exact ${model.exact_text}`, scale.box.right - 4, scale.toY(model.exact) - 6, { color: tones.text, align: "right" });
}

function spaced(K) {
  const stops = new Set();
  for (let i = 0; i <= 160; i++) stops.add(Math.round(K ** (i / 160)));
  return [...stops].sort((one, other) => one - other);
}

function decades(K) {
  const ticks = [];
  for (let power = 0; 10 ** power <= K; power++) ticks.push([power, String(10 ** power)]);
  return ticks;
}

function drawBins(pen, box, numbers, tones) {
  const labels = { xLabel: "log weight (nats)", title: "The log weights" };
  const range = extent(numbers.logW, 0.02); // of the finite ones
  histogram({ pen, ...box }, numbers.logW, range, { tones, color: tones.weights, ...labels });
}
