// One datapoint, K samples: q's mean, its width and K are dragged; every sample pulls, and the pulls are
// added up twice, with equal weights and with normalized weights.

import { added, angle, arrow, ellipse, placed, plane, pulls, ruler } from "./gradients.js";
import { digits, fixed, percent } from "./numbers.js";
import { note, segment, spot } from "./plot.js";
import { ess, logMeanExp, maxWeight, mean, normalize } from "./weights.js";

const STEP = 0.05;
const HALF = [2.6, 1.75]; // of the latent plane that is seen, around the posterior's mean

function decode(meta, { eps, vae_mean: vaeMean, iwae_mean: iwaeMean }) {
  const inside = [1, 2].map((radius) => ellipse(meta.oracle, radius));
  return { ...meta, eps: eps.values, inside, vaeMean: vaeMean.values, iwaeMean: iwaeMean.values };
}

function compute(state, { oracle, eps }) {
  const K = Math.round(state.samples);
  const found = pulls(oracle, state.shift, state.scale, eps, K);
  const w = normalize(found.logW);
  const equal = new Float64Array(K).fill(1 / K);
  const [vae, iwae] = [added(found.gradient, equal), added(found.gradient, w)];
  return { ...found, K, w, equal, vae, iwae, q: placed(oracle, state.shift, state.scale) };
}

const narrow = (width) => width < 520;
const height = (width) => (narrow(width) ? 820 : 590);

function layout({ width, height: tall }, state, numbers, { oracle }) {
  const split = narrow(width);
  const latent = { left: 0, top: 0, width, height: 310 };
  const track = { left: 24, right: width - 24, y: latent.height + 46 };
  const [columns, top, gap] = [split ? 2 : 4, latent.height + 94, 10];
  const cell = { width: (width - gap * (columns - 1)) / columns, height: (tall - top - (split ? gap : 0)) / (split ? 2 : 1) };
  const at = (i) => ({
    left: (i % columns) * (cell.width + gap), top: top + Math.floor(i / columns) * (cell.height + gap), ...cell,
  });
  const size = Math.min(latent.width / 2 / HALF[0], (latent.height - 22) / 2 / HALF[1]);
  const center = [latent.width / 2, 22 + (latent.height - 22) / 2];
  const map = {
    toX: (z) => center[0] + (z - oracle.mean[0]) * size, toY: (z) => center[1] - (z - oracle.mean[1]) * size,
    size, box: latent,
  };
  return { split, map, track, panels: { vae: [at(0), at(2)], iwae: [at(1), at(3)] } };
}

function draw(pen, { view, numbers, model, tones, mark, fresh }) {
  const on = (term) => (mark === null || mark === term ? 1 : 0.2);
  drawLatent(pen, view, numbers, model, tones, on);
  drawTrack(pen, view.track, numbers, model, tones);
  for (const [row, part] of [0, 2].entries()) {
    const group = row === 0 ? "encoder" : "decoder";
    const [xLabel, yLabel] = row === 0 ? ["V₁₁", "V₂₁"] : ["W₁₁", "W₁₂"];
    for (const name of ["vae", "iwae"]) {
      const color = name === "vae" ? tones.muted : tones.bound;
      const corners = path(numbers, name === "vae" ? numbers.equal : numbers.w, part);
      const exact = fresh ? ends(name === "vae" ? model.vaeMean : model.iwaeMean, part) : null;
      const reach = Math.max(...[...corners, exact ?? [0, 0]].map(([x, y]) => Math.max(Math.abs(x), Math.abs(y))), 1e-9);
      const sheet = plane(pen, view.panels[name][row], reach, {
        tones, title: `${name.toUpperCase()}, ${group}`, xLabel, yLabel, color: name === "vae" ? tones.text : tones.bound,
      });
      const other = name === "vae" ? ends(numbers.iwae, part) : null; // the IWAE's sum at the VAE's scale
      drawPath(pen, sheet, corners, name, exact, other, { tones, color, alpha: on(name) });
      ruler(pen, sheet, tones);
    }
  }
}

const ends = (sum, part) => [sum[part], sum[part + 1]];

// Corners of the arrows put head to tail.
function path({ gradient, K }, share, part) {
  const corners = [[0, 0]];
  for (let k = 0; k < K; k++) {
    const [x, y] = corners[k];
    corners.push([x + share[k] * gradient[4 * k + part], y + share[k] * gradient[4 * k + part + 1]]);
  }
  return corners;
}

function drawPath(pen, { toX, toY, clip }, corners, name, exact, other, { tones, color, alpha }) {
  pen.save();
  clip();
  const thin = { color: name === "vae" ? tones.muted : tones.weights, width: 1.4, head: 6, alpha: 0.85 * alpha };
  for (let k = 1; k < corners.length; k++) {
    const [[x0, y0], [x1, y1]] = [corners[k - 1], corners[k]];
    arrow(pen, toX(x0), toY(y0), toX(x1), toY(y1), thin);
  }
  const from = (end, style) => arrow(pen, toX(0), toY(0), toX(end[0]), toY(end[1]), { alpha, ...style });
  from(corners[corners.length - 1], { color, width: 3.2, head: 12 });
  if (exact) from(exact, { color: tones.exact, width: 1.6, head: 9, dash: [6, 4] });
  if (other) from(other, { color: tones.bound, width: 3.2, head: 9 });
  pen.restore();
}

function drawLatent(pen, { map, split }, numbers, model, tones, on) {
  const { toX, toY, size, box } = map;
  const { z, w, gradient, q, K } = numbers;
  note(pen, split ? "Each sample pulls q's mean" : "Each sample, as large as its weight, pulls q's mean", box.left, 14, { color: tones.text, bold: true });
  pen.save();
  pen.beginPath();
  pen.rect(0, 22, box.width, box.height - 22);
  pen.strokeStyle = tones.grid;
  pen.stroke();
  pen.clip();
  model.inside.forEach((points, i) => {
    pen.beginPath();
    for (const [x, y] of points) pen.lineTo(toX(x), toY(y));
    pen.globalAlpha = 0.12;
    pen.fillStyle = tones.target;
    pen.fill();
    pen.globalAlpha = 1;
    pen.strokeStyle = tones.target;
    pen.lineWidth = i ? 1 : 1.6;
    pen.stroke();
  });
  pen.strokeStyle = tones.proposal;
  pen.lineWidth = 2;
  pen.setLineDash([7, 4]);
  pen.beginPath();
  pen.ellipse(toX(q.loc[0]), toY(q.loc[1]), q.sd[0] * size, q.sd[1] * size, 0, 0, 2 * Math.PI);
  pen.stroke();
  pen.setLineDash([]);
  const longest = Math.max(...Array.from({ length: K }, (_, k) => Math.hypot(gradient[4 * k], gradient[4 * k + 1])), 1e-9);
  const stretch = 56 / longest; // only directions and proportions count here
  for (let k = 0; k < K; k++) {
    const [x, y] = [toX(z[2 * k]), toY(z[2 * k + 1])];
    const [u, v] = [stretch * gradient[4 * k], -stretch * gradient[4 * k + 1]];
    arrow(pen, x, y, x + u, y + v, { color: tones.muted, width: 1.2, head: 6, alpha: 0.7 * on("gradient") });
    const radius = Math.max(2, 15 * Math.sqrt(w[k]));
    pen.globalAlpha = on("weights");
    spot(pen, x, y, { color: tones.weights, radius });
    pen.globalAlpha = 1;
  }
  pen.restore();
  note(pen, "posterior", toX(model.inside[1][36][0]) - 8, toY(model.inside[1][36][1]) - 8, { color: tones.target, align: "right", bold: true, halo: tones.background });
  const low = Math.min(box.height - 10, toY(q.loc[1]) + q.sd[1] * size + 17);
  note(pen, "q", toX(q.loc[0]), low, { color: tones.proposal, align: "center", bold: true, halo: tones.background });
}

const share = (K, most) => Math.log(K) / Math.log(most);

function drawTrack(pen, track, { K }, { limits }, tones) {
  const most = limits.samples[1];
  pen.save();
  pen.lineCap = "round";
  pen.lineWidth = 4;
  pen.strokeStyle = tones.grid;
  segment(pen, track.left, track.y, track.right, track.y);
  pen.restore();
  for (let stop = 1; stop <= most; stop *= 2) {
    const x = track.left + share(stop, most) * (track.right - track.left);
    note(pen, String(stop), x, track.y + 30, { color: tones.muted, align: "center" });
  }
  note(pen, `K = ${K} sample${K > 1 ? "s" : ""}`, track.left - 10, track.y - 18, { color: tones.weights, bold: true });
}

function handles({ state, numbers, model, view }) {
  const { map: { toX, toY, box }, track } = view;
  const { q, K } = numbers;
  const { shift, scale, samples } = model.limits;
  const within = (x, low, high) => Math.max(low, Math.min(high, x));
  const place = (x, y) => ({ x: within(toX(x), 22, box.width - 22), y: within(toY(y), 44, box.height - 22) });
  return [
    {
      name: "mean", label: "Mean of q", tone: "proposal", value: state.shift, low: shift[0], high: shift[1],
      ...place(...q.loc), text: `off by ${fixed(state.shift)} posterior widths`,
    },
    {
      name: "width", label: "Width of q", tone: "proposal", shape: "wide", value: state.scale, low: scale[0], high: scale[1],
      ...place(q.loc[0] + q.sd[0], q.loc[1]), text: `${fixed(state.scale)} times the posterior's`,
    },
    {
      name: "samples", label: "K, samples", tone: "weights", value: K, low: samples[0], high: samples[1],
      x: track.left + share(K, samples[1]) * (track.right - track.left), y: track.y, text: `K = ${K}`,
    },
  ];
}

const round = (value, [low, high]) => Math.max(low, Math.min(high, Math.round(value * 100) / 100));

function drag(name, point, { state, model, view, numbers }) {
  const { oracle, limits } = model;
  const { map, track } = view;
  if (name === "samples") {
    const part = Math.max(0, Math.min(1, (point.x - track.left) / (track.right - track.left)));
    return { ...state, samples: Math.round(limits.samples[1] ** part) };
  }
  const z = [oracle.mean[0] + (point.x - map.toX(oracle.mean[0])) / map.size, oracle.mean[1] - (point.y - map.toY(oracle.mean[1])) / map.size];
  if (name === "width") {
    return { ...state, scale: round((z[0] - numbers.q.loc[0]) / Math.sqrt(oracle.covariance[0][0]), limits.scale) };
  }
  const [a, b] = oracle.direction;
  const along = ((z[0] - oracle.mean[0]) * a + (z[1] - oracle.mean[1]) * b) / (a * a + b * b);
  return { ...state, shift: round(along, limits.shift) };
}

function nudge(name, steps, { state, model: { limits }, numbers }) {
  if (name === "samples") {
    const [low, high] = limits.samples;
    return { ...state, samples: Math.max(low, Math.min(high, numbers.K + steps)) };
  }
  const field = name === "mean" ? "shift" : "scale";
  return { ...state, [field]: round(Number(state[field]) + STEP * steps, limits[field]) };
}

const length = (sum, part) => Math.hypot(sum[part], sum[part + 1]);

function formula({ numbers }) {
  const { K, vae, iwae, w } = numbers;
  return [
    { symbol: "|Δ<sub>VAE</sub>|", value: digits(length(vae, 0)), term: "vae" },
    { symbol: "= | Σ" },
    { symbol: "1/K", value: percent(1 / K) },
    { symbol: "∇ log w<sub>k</sub> |", value: "pull of k", term: "gradient" },
    { symbol: "," },
    { symbol: "|Δ<sub>IWAE</sub>|", value: digits(length(iwae, 0)), term: "iwae", role: "bound" },
    { symbol: "= | Σ" },
    { symbol: "w̃<sub>k</sub>", value: `up to ${percent(Math.max(...w))}`, term: "weights", role: "weights" },
    { symbol: "∇ log w<sub>k</sub> |", value: "the same", term: "gradient" },
  ];
}

function cards({ numbers, model, fresh }) {
  const { K, logW, vae, iwae } = numbers;
  const exact = (part) => (fresh ? `mean over draws: ${digits(length(model.vaeMean, part))} | ${digits(length(model.iwaeMean, part))}` : "mean over draws: …");
  const turned = (part) => (length(iwae, part) > 1e-12 && length(vae, part) > 1e-12 ? `${fixed(angle(vae.subarray(part), iwae.subarray(part)), 0)}°` : "none");
  return [
    { label: "Heaviest sample", value: percent(maxWeight(logW)), note: `VAE gives each ${percent(1 / K)}` },
    { label: "ESS", value: digits(ess(logW)), note: `of ${K}` },
    {
      label: "Encoder: VAE | IWAE", value: `${digits(length(vae, 0))} | ${digits(length(iwae, 0))}`, note: exact(0),
      help: "Lengths of the two sums in nats per unit of weight; the means over draws are exact, by quadrature.",
    },
    { label: "Decoder: VAE | IWAE", value: `${digits(length(vae, 2))} | ${digits(length(iwae, 2))}`, note: exact(2) },
    { label: "Turned by", value: turned(0), note: `decoder: ${turned(2)}`, help: "Angle between the VAE's and the IWAE's arrow, for these samples." },
    { label: "ELBO | bound", value: `${fixed(mean(logW))} | ${fixed(logMeanExp(logW))}`, note: `of these samples; log p(x) ${fixed(model.oracle.log_marginal)}` },
  ];
}

function says({ numbers }) {
  const { K, logW, vae, iwae } = numbers;
  return `K = ${K}: the heaviest sample has ${percent(maxWeight(logW))} of the weight. Encoder's gradient: VAE ${digits(length(vae, 0))}, IWAE ${digits(length(iwae, 0))}; decoder's: ${digits(length(vae, 2))} and ${digits(length(iwae, 2))}.`;
}

function table({ numbers }) {
  const { K, z, logW, w, gradient } = numbers;
  const rows = Array.from({ length: K }, (_, k) => [k + 1, z[2 * k], z[2 * k + 1], logW[k], w[k], ...gradient.slice(4 * k, 4 * k + 4)]);
  return [["sample", "z_1", "z_2", "log_w", "share", "V_11", "V_21", "W_11", "W_12"], ...rows];
}

export default { decode, compute, height, layout, draw, handles, drag, nudge, formula, cards, says, table };
