// How slow motion looks: a track of phases with a caption; the latent plane; one row for each sample
// with its numbers, its share and its pulls; and a line of nats with the logarithms.

import { fixed, percent } from "./numbers.js";
import { axes, extent, image, note, segment, spot } from "./plot.js";

const NAMES = ["sample", "weight", "average", "log", "gradient"];
const TRACK = 66;
const LINE_HEIGHT = 20;
const LINE = 104; // px of the line of nats

const narrow = (width) => width < 620;

export function place(width, model) {
  const split = narrow(width);
  const track = { left: 34, right: width - 38, y: 24, names: NAMES };
  track.toX = (phase) => track.left + ((phase - 1) / (NAMES.length - 1)) * (track.right - track.left);
  track.toPhase = (x) => 1 + ((x - track.left) / (track.right - track.left)) * (NAMES.length - 1);
  const lines = Math.ceil(Math.max(...model.phases.map(({ caption }) => caption.length)) * 6.9 / width) + 1;
  const caption = { left: 2, top: TRACK + 16, width: width - 4, lines };
  const top = caption.top + lines * LINE_HEIGHT + 6;
  const hasRest = model.n_samples > model.n;
  const hasKl = model.kind === "closed";
  const count = model.n + hasRest + hasKl;
  const row = Math.max(21, Math.min(40, 250 / count));
  const side = split ? Math.min(width, 300) : Math.min(280, 0.33 * width);
  const plane = { left: split ? (width - side) / 2 : 0, top, side };
  const left = split ? 0 : side + 26;
  const rowsTop = split ? top + side + 54 : top + 22;
  const wide = width - left;
  const rows = { left, top: rowsTop, width: wide, row, count, split, columns: columns(left, wide, split) };
  const below = Math.max(rowsTop + count * row + 34, split ? 0 : top + side + 40);
  return { split, track, caption, plane, rows, hasRest, hasKl, line: { left: 0, top: below, width, height: LINE }, height: below + LINE + 4 };
}

// Left edges and widths of what stands in a row.
function columns(left, wide, split) {
  const thumb = { left: left + 22, width: 40 };
  if (split) {
    const rest = wide - 64;
    return {
      thumb, logW: { right: left + 64 + 0.2 * rest }, share: { left: left + 64 + 0.25 * rest, width: 0.28 * rest },
      encoder: { left: left + 64 + 0.57 * rest, width: 0.21 * rest }, decoder: { left: left + 64 + 0.79 * rest, width: 0.21 * rest },
    };
  }
  const rest = wide - 66;
  const at = (part) => left + 66 + part * rest;
  return {
    thumb, joint: { right: at(0.15) }, logQ: { right: at(0.29) }, logW: { right: at(0.43) },
    share: { left: at(0.47), width: 0.19 * rest }, encoder: { left: at(0.69), width: 0.145 * rest }, decoder: { left: at(0.855), width: 0.145 * rest },
  };
}

const CLAMP = (value) => Math.max(0, Math.min(1, value));

export function draw(pen, context, on) {
  const { view, model, tones, place: at, mark } = context;
  // How far each phase has come; what is not begun is not drawn.
  const done = NAMES.map((_, i) => (i === 0 ? 1 : CLAMP(at - i)));
  const alpha = (phase) => {
    const marked = mark === null || mark === NAMES[phase - 1];
    return (marked ? 1 : 0.25) * (phase <= on ? 1 : 0);
  };
  drawTrack(pen, view, on, tones);
  wrapped(pen, model.phases[on - 1].caption, view.caption, tones.text);
  drawPlane(pen, view.plane, model, done, alpha, tones);
  drawRows(pen, view, model, done, alpha, on, tones);
  drawLine(pen, view.line, model, done, alpha, tones);
}

function drawTrack(pen, { track }, on, tones) {
  pen.save();
  pen.lineCap = "round";
  pen.lineWidth = 4;
  pen.strokeStyle = tones.grid;
  segment(pen, track.left, track.y, track.right, track.y);
  pen.strokeStyle = tones.weights;
  segment(pen, track.left, track.y, track.toX(on), track.y);
  pen.restore();
  NAMES.forEach((name, i) => {
    spot(pen, track.toX(i + 1), track.y, { color: i < on ? tones.weights : tones.muted, radius: 4 });
    note(pen, name, track.toX(i + 1), track.y + 36, { color: i + 1 === on ? tones.text : tones.muted, bold: i + 1 === on, align: "center" });
  });
}

function wrapped(pen, text, { left, top, width }, color) {
  let [line, y] = ["", top];
  pen.save();
  pen.font = "14px sans-serif";
  pen.fillStyle = color;
  pen.textAlign = "left";
  pen.textBaseline = "alphabetic";
  for (const word of text.split(" ")) {
    if (line && pen.measureText(`${line} ${word}`).width > width) {
      pen.fillText(line, left, y);
      [line, y] = [word, y + LINE_HEIGHT];
    } else {
      line = line ? `${line} ${word}` : word;
    }
  }
  pen.fillText(line, left, y);
  pen.restore();
}

// Phase 1 and 2: the samples leave q's mean, then grow to the size of their weights.
function drawPlane(pen, { left, top, side }, model, done, alpha, tones) {
  const { loc, scale, z, n, weight, kind } = model;
  const reach = Math.max(1e-6, 3.2 * scale[0], 3.2 * scale[1]);
  const unit = side / 2 / reach;
  const [x0, y0] = [left + side / 2, top + 8 + side / 2];
  const [toX, toY] = [(v) => x0 + (v - loc[0]) * unit, (v) => y0 - (v - loc[1]) * unit];
  pen.save();
  pen.strokeStyle = tones.grid;
  pen.strokeRect(left + 0.5, top + 8.5, side - 1, side - 1);
  pen.beginPath();
  pen.rect(left, top + 8, side, side);
  pen.clip();
  pen.strokeStyle = tones.prior;
  pen.setLineDash([2, 4]);
  for (const radius of [1, 2]) {
    pen.beginPath();
    pen.arc(toX(0), toY(0), radius * unit, 0, 2 * Math.PI);
    pen.stroke();
  }
  pen.strokeStyle = tones.proposal;
  pen.lineWidth = 2;
  pen.setLineDash([7, 5]);
  for (const radius of [1, 2]) {
    pen.beginPath();
    pen.ellipse(x0, y0, radius * scale[0] * unit, radius * scale[1] * unit, 0, 0, 2 * Math.PI);
    pen.stroke();
  }
  pen.setLineDash([]);
  const weighed = kind === "closed" ? 0 : done[1];
  for (let i = n - 1; i >= 0; i--) {
    const radius = 4 + weighed * (Math.max(1.5, 18 * Math.sqrt(weight[i])) - 4);
    pen.globalAlpha = alpha(1) * (weighed ? 0.35 + 0.5 * Math.sqrt(weight[i] / weight[0]) : 0.75);
    spot(pen, toX(z[2 * i]), toY(z[2 * i + 1]), { color: weighed ? tones.weights : tones.proposal, radius });
  }
  pen.globalAlpha = 1;
  for (let i = Math.min(n, 5) - 1; i >= 0; i--) {
    const beside = (weighed ? Math.max(4, 18 * Math.sqrt(weight[i]) * weighed) : 4) + 3;
    note(pen, String(i + 1), toX(z[2 * i]) + beside, toY(z[2 * i + 1]) + 4, { color: tones.text, halo: tones.background });
  }
  pen.restore();
  if (model.image) {
    image(pen, model.image, model.image_shape, left + 6, top + 14, 46, tones.mode === "dark");
    pen.strokeStyle = tones.grid;
    pen.strokeRect(left + 6.5, top + 14.5, 45, 45);
    note(pen, model.label ? `x, a ${model.label}` : "x", left + 57, top + 28, { color: tones.text, halo: tones.background });
  }
  const [a, b] = model.axes;
  const one = a === b ? `latent ${a}` : `latents ${a} and ${b}`;
  note(pen, `q over ${one}; dotted: prior`, left + 2, top + side + 24, { color: tones.muted });

}

function drawRows(pen, view, model, done, alpha, on, tones) {
  const { rows, hasRest, hasKl } = view;
  const { columns: at, row, split } = rows;
  const { n, kind } = model;
  const head = (text, x, phase, align = "left") => {
    note(pen, text, x, rows.top - 8, { color: phase === on ? tones.text : tones.muted, bold: phase === on, align });
  };
  const scored = kind === "closed" ? "log p(x|z)" : "log w";
  if (!split && kind !== "closed") {
    head("log p(x,z)", at.joint.right, 2, "right");
    head("log q", at.logQ.right, 2, "right");
  }
  head(scored, at.logW.right, 2, "right");
  head(kind === "elbo" || kind === "closed" ? "share 1/K" : "share", at.share.left, 3);
  head(split ? "enc." : "encoder", at.encoder.left, 5);
  head(split ? "dec." : "decoder", at.decoder.left, 5);
  const most = Math.max(...model.share, ...model.weight, 1e-12);
  const pull = (name) => Math.max(...[...model[`${name}_along`], model[name].rest, model[name].kl].map(Math.abs), 1e-12);
  const reach = { encoder: pull("encoder"), decoder: pull("decoder") };
  for (let i = 0; i < rows.count; i++) {
    const y = rows.top + i * row;
    const middle = y + row / 2 + 4;
    const sample = i < n;
    const isRest = hasRest && i === n;
    const label = sample ? String(i + 1) : isRest ? `${model.n_samples - n} more` : "KL";
    note(pen, label, rows.left + 2, middle, { color: tones.muted });
    if (sample) drawSample(pen, i, y, middle, rows, model, done, alpha, most, tones);
    if (i === n + Number(hasRest) && hasKl && alpha(2)) note(pen, "closed form", at.share.left, middle, { color: tones.muted });
    for (const name of ["encoder", "decoder"]) {
      const value = sample ? model[`${name}_along`][i] : isRest ? model[name].rest : model[name].kl;
      drawPull(pen, at[name], y, row, (value / reach[name]) * done[4], alpha(5), tones);
    }
  }
  if (alpha(5)) {
    const y = rows.top + rows.count * row + 18;
    note(pen, "sum", at.share.left + at.share.width - 4, y, { color: tones.muted, align: "right" });
    for (const name of ["encoder", "decoder"]) {
      note(pen, model[name].text, at[name].left + at[name].width / 2, y, { color: tones.bound, bold: true, align: "center" });
    }
  }
}

function drawSample(pen, i, y, middle, { columns: at, row, split }, model, done, alpha, most, tones) {
  const dark = tones.mode === "dark";
  if (model.images && alpha(2)) {
    const size = Math.min(row - 3, 36);
    pen.save();
    pen.globalAlpha = alpha(2) * done[1];
    image(pen, model.images[i], model.image_shape, at.thumb.left, y + (row - size) / 2, size, dark);
    pen.restore();
  }
  pen.save();
  pen.globalAlpha = alpha(2) * done[1];
  if (!split && model.kind !== "closed") {
    note(pen, fixed(model.log_joint[i]), at.joint.right, middle, { color: tones.target, align: "right" });
    note(pen, fixed(model.log_q[i]), at.logQ.right, middle, { color: tones.proposal, align: "right" });
  }
  const score = model.kind === "closed" ? model.log_likelihood[i] : model.log_w[i];
  note(pen, fixed(score), at.logW.right, middle, { color: model.kind === "closed" ? tones.target : tones.weights, align: "right", bold: true });
  pen.restore();
  pen.save();
  pen.globalAlpha = alpha(3) * done[2];
  const { left, width } = at.share;
  const wide = width - 42;
  pen.fillStyle = tones.weights;
  pen.fillRect(left, y + row / 2 - 6, Math.max(1, done[2] * wide * (Math.max(0, model.share[i]) / most)), 12);
  if (model.kind !== "closed" && model.kind !== "iwae") spot(pen, left + wide * (model.weight[i] / most), y + row / 2, { color: tones.text, radius: 3 });
  note(pen, model.share[i] < 5e-4 && model.share[i] >= 0 ? "≈ 0" : percent(model.share[i]), left + width, middle, { color: tones.muted, align: "right" });
  pen.restore();
}

// A bar to the right for a pull along the sum, to the left for one against it.
function drawPull(pen, { left, width }, y, row, part, alpha, tones) {
  if (!alpha) return;
  const zero = left + width / 2;
  pen.save();
  pen.globalAlpha = alpha;
  pen.strokeStyle = tones.grid;
  segment(pen, zero, y + 2, zero, y + row - 2);
  pen.fillStyle = part >= 0 ? tones.bound : tones.muted;
  const end = zero + 0.46 * part * width;
  pen.fillRect(Math.min(zero, end), y + row / 2 - 5, Math.max(0.5, Math.abs(end - zero)), 10);
  pen.restore();
}

// Phase 4: the log weights on a line, their mean, and the log of the mean weight.
function drawLine(pen, box, model, done, alpha, tones) {
  if (!alpha(4)) {
    note(pen, "Then the logarithm", box.left + 2, box.top + 20, { color: tones.muted });
    return;
  }
  const { kind, all_log_w: logs, elbo, bound, objective, n_samples: K } = model;
  const seen = [...logs, elbo, bound, objective];
  const x = extent(seen, 0.08);
  const scale = axes({ pen, ...box, top: box.top + 18, height: box.height - 18 }, { x, y: [0, 1], yTicks: [], tones, grid: false, xLabel: "nats" });
  const { toX, box: { top, bottom } } = scale;
  const middle = (top + bottom) / 2 + 6;
  pen.save();
  pen.globalAlpha = alpha(4);
  pen.strokeStyle = tones.weights;
  pen.lineWidth = 1.5;
  for (const value of logs) segment(pen, toX(value), bottom - 12 * done[3], toX(value), bottom);
  spot(pen, toX(elbo), middle, { color: tones.bound, radius: 6, hollow: true });
  // The log of the mean starts where the mean of the logs is, and finds its place.
  spot(pen, toX(elbo + done[3] * (bound - elbo)), middle, { color: tones.bound, radius: 6 });
  pen.restore();
  // The mean of the logs is never the larger one, so its words go to the left.
  const style = { color: tones.bound, bold: true, halo: tones.background };
  const [low, high] = [`mean of logs ${fixed(elbo)}`, `log of mean ${fixed(bound)}`];
  // Where there is no room beside the dot, the words bring it along.
  const fits = toX(elbo) - 9 - pen.measureText(low).width * 1.12 > box.left;
  note(pen, fits ? low : `○ ${low}`, toX(elbo) + (fits ? -10 : 10), fits ? middle + 5 : top + 2, { ...style, align: fits ? "right" : "left" });
  if (K > 1) {
    const room = toX(bound) + 10 + pen.measureText(high).width * 1.12 < box.left + box.width;
    note(pen, room ? high : `● ${high}`, toX(bound) + (room ? 10 : -10), room ? middle + 5 : fits ? top + 2 : top - 14, { ...style, align: room ? "left" : "right" });
  }
  if (kind === "other" || kind === "closed") {
    pen.save();
    pen.strokeStyle = tones.exact;
    pen.lineWidth = 2;
    segment(pen, toX(objective), top + 6, toX(objective), bottom);
    pen.restore();
  }
}
