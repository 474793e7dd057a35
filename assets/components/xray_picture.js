// How the weight x-ray looks: the pad and what the network sees of it, the latent plane with its
// particles, two tracks, the decoded particles by weight, and the bound beside log p(x).

import { DOTS, SIDE } from "./drawing.js";
import { digits, fixed, percent } from "./numbers.js";
import { axes, extent, image, note, segment, spot } from "./plot.js";
import { ellipses, frame, lines, tone } from "./posterior_plane.js";

const WHOLE = 3; // half the side of the latent plane, as far as digits go
const GAP = 18;
const TRACK = 66; // px of height
const THUMB = [46, 72]; // px, least and most
const LABEL = 17;
const STRIP = 104;
const N_NAMED = 3;
const MINIS = ["counted", "seen", "decoded"]; // what becomes of the drawing, from left to right
export const MOST_THUMBS = 24;

const narrow = (width) => width < 540;

// Where everything stands; without a model only the height is asked for.
export function place(width, given = null) {
  const split = narrow(width);
  const side = split ? Math.min(248, width - 104) : Math.min(264, Math.round(0.4 * width));
  const pad = { left: 0, top: 22, side };
  const mini = split ? Math.round((side - 2 * 26) / 3) : Math.floor((side - 2 * 12) / 3);
  const minis = MINIS.map((_, i) => split
    ? { left: side + 14, top: pad.top + i * (mini + 26), side: mini }
    : { left: i * (mini + 12), top: pad.top + side + 34, side: mini });
  const box = split
    ? { left: 0, top: pad.top + side + 26, width, height: width }
    : { left: side + GAP, top: 0, width: width - side - GAP, height: Math.max(430, Math.min(560, 0.68 * (width - side))) };
  const below = box.top + box.height + 8;
  const half = split ? width : (width - GAP) / 2;
  const track = (left, top) => ({ left: left + 24, right: left + half - 24, y: top + 40 });
  const tracks = {
    K: track(0, below), squeeze: split ? track(0, below + TRACK + 14) : track(half + GAP, below),
  };
  const thumbsTop = below + (split ? 2 * TRACK + 14 : TRACK) + 30;
  const columns = Math.min(MOST_THUMBS / 2, Math.floor((width + 8) / (THUMB[0] + 8)));
  const size = Math.min(THUMB[1], Math.floor((width + 8) / columns) - 8);
  const rows = split ? 3 : 2;
  const stripTop = thumbsTop + 28 + rows * (size + LABEL + 6) + 6;
  const view = {
    split, pad, minis, tracks, height: stripTop + STRIP,
    thumbs: { left: 0, top: thumbsTop, size, columns, rows },
    strip: { left: 0, top: stripTop, width, height: STRIP },
  };
  if (given) view.plane = plane(box, window(given), given.pen, split);
  return view;
}

function window({ state, model: { home } }) {
  if (!state.zoom) return { center: [0, 0], half: WHOLE };
  return { center: home.loc, half: Math.max(0.6, Math.min(WHOLE, 4 * Math.max(...home.scale))) };
}

function plane(box, { center, half }) {
  const [left, right, top, bottom] = [box.left + 34, box.left + box.width - 2, box.top + 46, box.top + box.height - 24];
  const unit = Math.min(right - left, bottom - top) / (2 * half);
  const [x0, y0] = [(left + right) / 2 - unit * center[0], (top + bottom) / 2 + unit * center[1]];
  return {
    box, left, right, top, bottom, unit, toX: (z) => x0 + unit * z, toY: (z) => y0 - unit * z,
    toZ: ({ x, y }) => [(x - x0) / unit, (y0 - y) / unit],
  };
}

export const K_STOPS = [1, 3, 10, 30, 100, 300, 1000];
export const trackTo = ({ left, right }, part) => left + part * (right - left);
export const squeezed = (factor, { limits: { squeeze: [low, high] } }) => Math.log(factor / low) / Math.log(high / low);

export function draw(pen, context) {
  const { view, numbers, model, state, tones, mark } = context;
  const on = (term) => (mark === null || mark === term ? 1 : 0.2);
  drawPad(pen, view, numbers, model, tones);
  drawPlane(pen, view.plane, numbers, model, tones, on);
  drawTracks(pen, view.tracks, state, numbers, model, tones);
  drawThumbs(pen, view.thumbs, numbers, tones, on("weights"));
  drawStrip(pen, view.strip, context, on);
}

function drawPad(pen, { pad, minis }, numbers, { cursor }, tones) {
  const dark = tones.mode === "dark";
  const { left, top, side } = pad;
  const cell = side / SIDE;
  note(pen, "Draw a digit", left + 2, top - 8, { color: tones.text, bold: true });
  image(pen, numbers.dots, [DOTS, DOTS], left, top, side, dark);
  if (!numbers.dots.includes(1)) {
    note(pen, "as large as the sheet", left + side / 2, top + side / 2 + 5, { color: tones.muted, align: "center" });
  }
  pen.save();
  pen.lineWidth = 1;
  pen.strokeStyle = tones.grid;
  pen.globalAlpha = 0.6;
  for (let i = 0; i <= SIDE; i++) {
    segment(pen, left + i * cell, top, left + i * cell, top + side);
    segment(pen, left, top + i * cell, left + side, top + i * cell);
  }
  pen.globalAlpha = 1;
  pen.strokeStyle = tones.muted;
  pen.strokeRect(left + 0.5, top + 0.5, side - 1, side - 1);
  if (cursor) {
    pen.strokeStyle = tones.proposal;
    pen.lineWidth = 3;
    pen.strokeRect(left + cursor[0] * cell + 1.5, top + cursor[1] * cell + 1.5, cell - 3, cell - 3);
  }
  pen.restore();
  [numbers.ink, numbers.x, numbers.blend].forEach((values, i) => {
    const { left: x, top: y, side: size } = minis[i];
    note(pen, MINIS[i], x, y - 7, { color: tones.muted });
    image(pen, values, [SIDE, SIDE], x, y, size, dark);
    pen.strokeStyle = tones.grid;
    pen.lineWidth = 1;
    pen.strokeRect(x + 0.5, y + 0.5, size - 1, size - 1);
  });
}

function drawPlane(pen, view, numbers, model, tones, on) {
  const { left, right, top, bottom, toX, toY } = view;
  const { table, edges, q, z, w, order } = numbers;
  frame(pen, view, { title: "Latent plane" }, tones);
  pen.save();
  pen.beginPath();
  pen.rect(left, top, right - left, bottom - top);
  pen.clip();
  model.class_names.forEach((name, i) => {
    const [x, y] = [toX(model.places[2 * i]), toY(model.places[2 * i + 1])];
    note(pen, name, x, y + 5, { color: tones.muted, align: "center" });
  });
  tone(pen, view, table, tones.target, on("target"));
  lines(pen, view, table, edges, { color: tones.target, width: 1.5, alpha: on("target") });
  ellipses(pen, view, q, tones.proposal, on("proposal"));
  const heaviest = w[order[0]];
  for (const k of order.toReversed()) {
    pen.globalAlpha = on("weights") * (0.2 + 0.65 * Math.sqrt(w[k] / heaviest));
    spot(pen, toX(z[2 * k]), toY(z[2 * k + 1]), { color: tones.weights, radius: Math.max(1.5, 17 * Math.sqrt(w[k])) });
  }
  pen.globalAlpha = on("weights");
  const named = [];
  order.slice(0, N_NAMED).forEach((k, i) => {
    const [x, y] = [toX(z[2 * k]), toY(z[2 * k + 1])];
    if (w[k] < 0.005 || named.some(([a, b]) => Math.hypot(x - a, y - b) < 16)) return;
    named.push([x, y]);
    note(pen, String(i + 1), x, y + 5, { color: tones.text, align: "center", bold: true, halo: tones.background });
  });
  pen.restore();
  legend(pen, view, numbers, tones);
}

function legend(pen, { left, right, top, bottom, toX, toY }, { z, K }, tones) {
  let x = left;
  const entry = (text, color, dash) => {
    pen.save();
    pen.strokeStyle = color;
    pen.lineWidth = 2;
    pen.setLineDash(dash);
    segment(pen, x, top - 14, x + 20, top - 14);
    pen.restore();
    note(pen, text, x + 25, top - 10, { color, bold: true });
    x += 33 + pen.measureText(text).width + 12;
  };
  entry("p(z|x)", tones.target, []);
  entry("q(z|x)", tones.proposal, [6, 4]);
  spot(pen, x + 6, top - 14, { color: tones.weights, radius: 5 });
  note(pen, "particles", x + 16, top - 10, { color: tones.weights, bold: true });
  let out = 0;
  for (let k = 0; k < K; k++) {
    const [px, py] = [toX(z[2 * k]), toY(z[2 * k + 1])];
    if (px < left || px > right || py < top || py > bottom) out++;
  }
  if (out) note(pen, `${out} outside`, right - 6, bottom - 8, { color: tones.muted, align: "right", halo: tones.background });
}

function drawTracks(pen, { K, squeeze }, state, numbers, model, tones) {
  const track = ({ left, right, y }, title, color, stops) => {
    pen.save();
    pen.lineCap = "round";
    pen.lineWidth = 4;
    pen.strokeStyle = tones.grid;
    segment(pen, left, y, right, y);
    pen.restore();
    for (const [part, text] of stops) {
      note(pen, text, left + part * (right - left), y + 30, { color: tones.muted, align: "center" });
    }
    note(pen, title, left - 12, y - 20, { color, bold: true });
  };
  const { samples, squeeze: [low, high] } = model.limits;
  const shown = K.right - K.left < 220 ? K_STOPS.filter((_, i) => i % 2 === 0) : K_STOPS;
  const particles = `K = ${numbers.K} particle${numbers.K > 1 ? "s" : ""}`;
  track(K, particles, tones.weights, shown.map((stop) => [Math.log(stop) / Math.log(samples), String(stop)]));
  const widths = [[low, "¼"], [0.5, "½"], [1, "1"], [2, "2"], [high, "4"]];
  const title = `q: ${+state.squeeze.toPrecision(3)} × the encoder's width`;
  track(squeeze, title, tones.proposal, widths.map(([factor, text]) => [squeezed(factor, model), text]));
}

function drawThumbs(pen, { left, top, size, columns, rows }, { top: heaviest, ess, K }, tones, alpha) {
  const thumbs = heaviest.slice(0, rows * columns);
  const held = thumbs.reduce((sum, { share }) => sum + share, 0);
  const headline = `${digits(ess, 2)} of ${K} really carry the answer`;
  const told = K > thumbs.length ? `; below, the ${thumbs.length} heaviest hold ${percent(held)}` : "";
  const whole = pen.measureText(told).width;
  note(pen, headline, left + 2, top + 4, { color: tones.weights, bold: true });
  if (whole && columns > 8) {
    pen.save();
    pen.font = "600 13px sans-serif";
    const after = left + 2 + pen.measureText(headline).width;
    pen.restore();
    note(pen, told, after, top + 4, { color: tones.muted });
  }
  const most = thumbs[0].share;
  thumbs.forEach(({ share, image: values }, i) => {
    const x = left + (i % columns) * (size + 8);
    const y = top + 18 + Math.floor(i / columns) * (size + LABEL + 6);
    pen.save();
    pen.globalAlpha = alpha * Math.max(0.07, Math.sqrt(share / most));
    image(pen, values, [SIDE, SIDE], x, y, size, tones.mode === "dark");
    pen.restore();
    pen.strokeStyle = tones.grid;
    pen.lineWidth = 1;
    pen.strokeRect(x + 0.5, y + 0.5, size - 1, size - 1);
    const text = i < N_NAMED ? `${i + 1}: ${percent(share)}` : share >= 5e-4 ? percent(share) : "≈ 0";
    pen.save();
    pen.font = "11px sans-serif";
    pen.fillStyle = i < N_NAMED ? tones.weights : tones.muted;
    pen.textAlign = "center";
    pen.textBaseline = "alphabetic";
    pen.fillText(text, x + size / 2, y + size + 12);
    pen.restore();
  });
}

// The bound of this draw, of other draws, and what both stand for.
function drawStrip(pen, box, { numbers, model, tones, fresh }, on) {
  const exact = fresh ? model.report.log_marginal : numbers.table.logMarginal;
  const others = fresh ? model.others : []; // those of another state say nothing of this one
  const seen = [numbers.bound, exact - 0.5, exact + 0.5, ...others];
  const reach = extent(seen, 0.12);
  const near = numbers.elbo > reach[0] - 1.5 * (reach[1] - reach[0]); // else it would squash the rest
  const low = near ? Math.min(numbers.elbo, reach[0]) : reach[0];
  const scale = axes({ pen, ...box, top: box.top + 14, height: box.height - 14 }, {
    x: extent([low, ...reach], 0.06), y: [0, 1], yTicks: [], tones, grid: false, xLabel: "nats",
  });
  const { toX, box: { top, bottom } } = scale;
  const middle = (top + bottom) / 2 + 4;
  pen.save();
  pen.globalAlpha = 0.25 * on("bound");
  others.forEach((value, i) => {
    const jitter = ((i * 0.61803) % 1) - 0.5;
    spot(pen, toX(value), middle + 14 * jitter, { color: tones.muted, radius: 3 });
  });
  pen.globalAlpha = 1;
  pen.strokeStyle = tones.exact;
  pen.lineWidth = 2;
  pen.setLineDash(fresh ? [] : [3, 4]);
  segment(pen, toX(exact), top, toX(exact), bottom);
  pen.setLineDash([]);
  pen.globalAlpha = on("bound");
  if (near) spot(pen, toX(numbers.elbo), middle, { color: tones.bound, radius: 5, hollow: true });
  spot(pen, toX(numbers.bound), middle, { color: tones.bound, radius: 7 });
  pen.restore();
  const place = (value, text, color, y, left = false) => {
    const x = toX(value);
    const wide = pen.measureText(text).width + 14;
    const align = (left && x > wide) || x + wide > box.left + box.width ? "right" : "left";
    note(pen, text, align === "right" ? x - 6 : x + 6, y, { color, align, bold: true, halo: tones.background });
  };
  place(exact, `log p(x) ${fixed(exact)}`, tones.exact, top - 3);
  place(numbers.bound, `L_${numbers.K}`, tones.bound, middle - 10, numbers.bound < exact);
  if (!near) note(pen, `← L₁ ${fixed(numbers.elbo)}`, box.left + 4, middle + 5, { color: tones.bound, bold: true, halo: tones.background });
  else if (toX(numbers.bound) - toX(numbers.elbo) > 70) place(numbers.elbo, "L₁", tones.bound, middle - 10, true);
}
