// What the encoder does: weights of one datapoint, KL per latent, and the latent plane.

import { classes, color } from "./marks.js";
import { sub } from "./numbers.js";
import * as plot from "./plot.js";
import { ess, normalize } from "./weights.js";

const N_ELLIPSES = 60;

export function paintWeights({ canvas, heading }, { glance, tones }) {
  const shares = normalize(glance.log_w).sort((one, other) => other - one);
  const count = shares.length;
  const worth = ess(glance.log_w);
  heading.textContent = Number.isFinite(worth)
    ? `Weights of one datapoint: ${worth.toFixed(1)} of ${count} count`
    : "Weights of one datapoint: no longer numbers";
  const surface = plot.begin(canvas);
  const { pen } = surface;
  const frame = plot.axes(surface, {
    x: [0, count], y: [0, ceiling(shares[0], [0.05, 0.1, 0.2, 0.5, 1])], tones,
    xLabel: "sample, heaviest first", yLabel: "normalized weight",
  });
  const width = (frame.box.right - frame.box.left) / count;
  pen.fillStyle = tones.weights;
  shares.forEach((share, i) => {
    const top = frame.toY(share);
    pen.fillRect(frame.toX(i) + 0.5, top, Math.max(1, width - 1), frame.box.bottom - top);
  });
  pen.strokeStyle = tones.text;
  pen.setLineDash([4, 4]);
  const even = frame.toY(1 / count);
  plot.segment(pen, frame.box.left, even, frame.box.right, even);
  pen.setLineDash([]);
  plot.note(pen, `equal: 1/${count}`, frame.box.right - 2, even - 5, { color: tones.muted, align: "right", halo: tones.background });
}

export function paintKl({ canvas, heading }, { glance, tones }) {
  const { kl_per_dim: kl, active } = glance;
  const count = active.reduce((sum, flag) => sum + flag, 0);
  heading.textContent = `What each latent carries: ${count} of ${kl.length} active`;
  const surface = plot.begin(canvas);
  const { pen } = surface;
  const frame = plot.axes(surface, {
    x: [0.5, kl.length + 0.5], y: [0, ceiling(Math.max(...kl), [0.5, 1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 50])], tones,
    xTicks: whole(kl.length, surface.width < 360 ? 5 : 10), xLabel: "latent (hollow: inactive)", yLabel: "KL(q ‖ prior), nats",
  });
  const room = (frame.box.right - frame.box.left) / kl.length;
  const wide = Math.min(0.76 * room, 60);
  kl.forEach((value, i) => {
    const top = frame.toY(value);
    const bar = [frame.toX(i + 1) - wide / 2, top, wide, Math.max(1, frame.box.bottom - top)];
    pen.fillStyle = pen.strokeStyle = tones.proposal;
    // Inactive latents are hollow, so that color is not the only sign.
    if (active[i]) pen.fillRect(...bar);
    else pen.strokeRect(...bar);
  });
}

export function paintLatents({ canvas, heading }, { glance, tones, feed }) {
  const [first, second] = glance.axes;
  heading.textContent = `Latent plane: q(z | x) on z${sub(first + 1)}, z${sub(second + 1)}`;
  const { means, scales } = glance;
  const surface = plot.begin(canvas);
  const { pen } = surface;
  const reach = ceiling(Math.max(...means.map(Math.abs)) * 1.05, [3, 4, 5, 6, 8, 10, 15, 20, 30, 50, 100]);
  const across = reach * wider(surface);
  const frame = plot.axes(surface, {
    x: [-across, across], y: [-reach, reach], tones, xLabel: `z${sub(first + 1)}`, yLabel: `z${sub(second + 1)}`, grid: false,
  });
  const unit = [frame.toX(1) - frame.toX(0), frame.toY(0) - frame.toY(1)];
  pen.save();
  pen.beginPath();
  pen.rect(frame.box.left, frame.box.top, frame.box.right - frame.box.left, frame.box.bottom - frame.box.top);
  pen.clip();
  pen.strokeStyle = tones.prior;
  pen.lineWidth = 1.5;
  pen.setLineDash([2, 4]);
  for (const radius of [1, 2]) ring(pen, frame.toX(0), frame.toY(0), radius * unit[0], radius * unit[1]);
  pen.setLineDash([]);
  const { labels, classNames } = feed.probe;
  pen.lineWidth = 1;
  pen.globalAlpha = 0.5;
  for (let i = 0; i < Math.min(N_ELLIPSES, labels.length); i++) {
    pen.strokeStyle = color(labels[i]);
    ring(pen, frame.toX(means[2 * i]), frame.toY(means[2 * i + 1]), scales[2 * i] * unit[0], scales[2 * i + 1] * unit[1]);
  }
  pen.globalAlpha = 1;
  classes(pen, frame, means, labels, classNames);
  pen.restore();
}

function ring(pen, x, y, a, b) {
  pen.beginPath();
  pen.ellipse(x, y, a, b, 0, 0, 2 * Math.PI);
  pen.stroke();
}

// The first of some round numbers that holds a value: an axis that breathes cannot be read.
export function ceiling(value, steps) {
  return steps.find((step) => step >= value) ?? value * 1.1;
}

// How much more of x than of y fits if one unit is to look the same on both axes.
export const wider = ({ width, height }) => Math.max(1, (width - 45) / (height - 60));

// Whole numbers 1 .. count, at most about `most` of them.
function whole(count, most) {
  const step = Math.ceil(count / most);
  return Array.from({ length: Math.ceil(count / step) }, (_, i) => [1 + i * step, String(1 + i * step)]);
}
