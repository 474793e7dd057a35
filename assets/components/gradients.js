// Formulas of *Gradients*, and the arrows its scenes share. tests/ui/test_gradients_js.py runs the
// formulas under Node and holds them to iwae_core.evaluation.studies.contributions.
//
// `oracle` describes the linear-Gaussian model at its one datapoint: the posterior's mean and
// covariance, the direction in which q is shifted, log p(x), the decoder's weights to the first pixel,
// that pixel (less its bias) and the noise of the pixels.

// Mean and standard deviations of q.
export function placed(oracle, shift, scale) {
  const { mean, covariance, direction } = oracle;
  return {
    loc: [mean[0] + shift * direction[0], mean[1] + shift * direction[1]],
    sd: [scale * Math.sqrt(covariance[0][0]), scale * Math.sqrt(covariance[1][1])],
  };
}

// Of K samples z = loc + sd eps: places (2 each), log weights, and d log w to V_11, V_21, W_11, W_12.
// log p(x, z) = log p(x) + log posterior(z); log q at a reparameterized draw does not depend on loc.
export function pulls(oracle, shift, scale, eps, K) {
  const { mean, covariance: [[a, b], [, d]], row, pixel, noise_scale: s } = oracle;
  const { loc, sd } = placed(oracle, shift, scale);
  const det = a * d - b * b;
  const [z, logW, gradient] = [new Float64Array(2 * K), new Float64Array(K), new Float64Array(4 * K)];
  const common = oracle.log_marginal - 0.5 * Math.log(det) + Math.log(sd[0] * sd[1]);
  for (let k = 0; k < K; k++) {
    const [e0, e1] = [eps[2 * k], eps[2 * k + 1]];
    const [z0, z1] = [loc[0] + sd[0] * e0, loc[1] + sd[1] * e1];
    const [u, v] = [z0 - mean[0], z1 - mean[1]];
    const [p0, p1] = [(d * u - b * v) / det, (a * v - b * u) / det]; // precision times (z - mean)
    logW[k] = common - 0.5 * (u * p0 + v * p1) + 0.5 * (e0 * e0 + e1 * e1);
    const residual = (pixel - row[0] * z0 - row[1] * z1) / (s * s);
    z.set([z0, z1], 2 * k);
    gradient.set([-pixel * p0, -pixel * p1, residual * z0, residual * z1], 4 * k);
  }
  return { z, logW, gradient };
}

// sum_k share_k gradient_k, four numbers.
export function added(gradient, share) {
  const sum = new Float64Array(4);
  for (let k = 0; k < share.length; k++) for (let i = 0; i < 4; i++) sum[i] += share[k] * gradient[4 * k + i];
  return sum;
}

export const angle = (one, other) => {
  const dot = one[0] * other[0] + one[1] * other[1];
  const cross = one[0] * other[1] - one[1] * other[0];
  return (Math.atan2(Math.abs(cross), dot) * 180) / Math.PI;
};

// Points of the ellipse that holds all at `radius` standard deviations.
export function ellipse({ mean, covariance: [[a, b], [, d]] }, radius, count = 96) {
  const [l11, l21] = [Math.sqrt(a), b / Math.sqrt(a)];
  const l22 = Math.sqrt(d - l21 * l21);
  return Array.from({ length: count + 1 }, (_, i) => {
    const [c, s] = [Math.cos((2 * Math.PI * i) / count), Math.sin((2 * Math.PI * i) / count)];
    return [mean[0] + radius * l11 * c, mean[1] + radius * (l21 * c + l22 * s)];
  });
}

// A plane with equal units on both axes in a box { left, top, width, height }, around the origin.
// `reach` is the largest coordinate to be seen.
export function plane(pen, box, reach, { tones, title = "", xLabel = "", yLabel = "", color = null }) {
  const [cx, cy] = [box.left + box.width / 2, box.top + 22 + (box.height - 22) / 2];
  const unit = Math.min(box.width, box.height - 22) / 2 / (1.12 * (reach || 1));
  const [toX, toY] = [(x) => cx + x * unit, (y) => cy - y * unit];
  pen.save();
  pen.strokeStyle = tones.grid;
  pen.lineWidth = 1;
  pen.strokeRect(box.left + 0.5, box.top + 22.5, box.width - 1, box.height - 23);
  pen.beginPath();
  pen.moveTo(box.left, cy);
  pen.lineTo(box.left + box.width, cy);
  pen.moveTo(cx, box.top + 22);
  pen.lineTo(cx, box.top + box.height);
  pen.stroke();
  pen.restore();
  const write = (text, x, y, align, tone, bold) => {
    pen.save();
    pen.font = bold ? "600 13px sans-serif" : "12px sans-serif";
    pen.textAlign = align;
    pen.textBaseline = "alphabetic";
    pen.fillStyle = tone;
    pen.fillText(text, x, y);
    pen.restore();
  };
  write(title, box.left, box.top + 14, "left", color ?? tones.text, true);
  write(xLabel, box.left + box.width - 4, cy - 5, "right", tones.muted);
  write(yLabel, cx + 5, box.top + 36, "left", tones.muted);
  const clip = () => {
    pen.beginPath();
    pen.rect(box.left, box.top + 22, box.width, box.height - 22);
    pen.clip();
  };
  return { toX, toY, unit, clip, box };
}

// An arrow in CSS px; too short for a head, it is a line.
export function arrow(pen, x0, y0, x1, y1, { color, width = 1.5, head = 7, alpha = 1, dash = [] }) {
  const length = Math.hypot(x1 - x0, y1 - y0);
  if (!(length > 0.3)) return;
  const [u, v] = [(x1 - x0) / length, (y1 - y0) / length];
  const tip = Math.min(head, 0.6 * length);
  pen.save();
  pen.globalAlpha *= alpha;
  pen.strokeStyle = pen.fillStyle = color;
  pen.lineWidth = width;
  pen.setLineDash(dash);
  pen.beginPath();
  pen.moveTo(x0, y0);
  pen.lineTo(x1 - 0.7 * tip * u, y1 - 0.7 * tip * v);
  pen.stroke();
  pen.setLineDash([]);
  pen.beginPath();
  pen.moveTo(x1, y1);
  pen.lineTo(x1 - tip * u - 0.5 * tip * v, y1 - tip * v + 0.5 * tip * u);
  pen.lineTo(x1 - tip * u + 0.5 * tip * v, y1 - tip * v - 0.5 * tip * u);
  pen.fill();
  pen.restore();
}

// What a length of the plane means: a bar in its lower right corner.
export function ruler(pen, { unit, box }, tones) {
  const power = 10 ** Math.floor(Math.log10((0.42 * box.width) / unit));
  const size = [5, 2, 1].map((digit) => digit * power).find((each) => each * unit <= 0.42 * box.width) ?? power;
  const [right, y] = [box.left + box.width - 8, box.top + box.height - 8];
  pen.save();
  pen.strokeStyle = pen.fillStyle = tones.muted;
  pen.lineWidth = 2;
  pen.beginPath();
  pen.moveTo(right - size * unit, y);
  pen.lineTo(right, y);
  pen.stroke();
  pen.font = "12px sans-serif";
  pen.textAlign = "right";
  pen.textBaseline = "alphabetic";
  pen.fillText(String(+size.toPrecision(1)), right, y - 5);
  pen.restore();
}
