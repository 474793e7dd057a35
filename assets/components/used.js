// The posterior that K samples really use, q_K, as evaluation.studies.expected and posterior_used
// compute it: exact for the law of the log weights that is given. tests/ui/test_used_js.py holds every
// function to the core.

import { logNormal } from "./weights.js";

// The trapezoidal rule over u = log t, and the finer lattice of log weights on which a share is
// tabled: both lattices share their kernel exp(v - e^v), v = log w + u.
const STEP = 0.25;
const FINE = 4; // lattice points in a step
const CELL = STEP / FINE;
const DIES_BELOW = 38;
const DIES_ABOVE = 4.25;
const NOTHING = 1e-30;
const LEAST = 60; // nats below the largest weight, where a weight counts for nothing
const SURE = 20;
const MAX_SAMPLES = 1000;
const BELOW = Math.ceil((DIES_BELOW + Math.log(MAX_SAMPLES) + SURE) / STEP);
const WINDOW = 70 / STEP; // steps: further down an integrand adds nothing
const LOWEST = LEAST + BELOW * STEP; // -v of the kernel's first value
const N_KERNEL = Math.ceil((LOWEST + DIES_ABOVE) / CELL);
const KERNEL = Float64Array.from({ length: N_KERNEL + 1 }, (_, i) => {
  const v = i * CELL - LOWEST;
  return Math.exp(v - Math.exp(v));
});

// The law of one weight: what it may be, with which probability, and E[exp(-t w)] at t = exp(u). `whole`
// says whether no weight lies so far down that it was raised to LEAST.
export function law(logW, probability) {
  const top = logW.reduce((most, value) => Math.max(most, value), -Infinity);
  const w = Float64Array.from(logW, (value) => Math.exp(Math.max(value - top, -LEAST)));
  const average = w.reduce((sum, value, i) => sum + probability[i] * value, 0);
  const phi = [];
  for (let j = 0; j < BELOW + Math.ceil((LEAST + DIES_ABOVE) / STEP); j++) {
    const t = Math.exp((j - BELOW) * STEP);
    let mean = 0;
    if (t < 1e-8) {
      phi.push(1 - t * average); // exp(-t w) to the last digit, as no w is above one
      continue;
    }
    for (let i = 0; i < w.length; i++) {
      const tw = t * w[i];
      if (tw < 70) mean += probability[i] * Math.exp(-tw);
    }
    phi.push(mean);
    if (mean < NOTHING) break;
  }
  const least = Math.max(logW.reduce((low, value) => Math.min(low, value), Infinity) - top, -LEAST);
  return { logW, probability, top, least, whole: least > -LEAST, phi: Float64Array.from(phi) };
}

// log of the expected share of a sample, K E[w / (w + w_2 + .. + w_K)], as a table over log w: of
// any weight, or of those between two ends, in nats over the largest.
export function shareTable({ phi, top }, K, ends = [-LEAST, SURE + Math.log(K)]) {
  if (K === 1) return { K, top };
  const others = [];
  for (const value of phi) {
    const power = value ** (K - 1);
    if (power < NOTHING) break;
    others.push(power);
  }
  const start = Math.max(0, Math.floor((ends[0] + LEAST) / CELL) - POINTS);
  const stop = Math.ceil((LEAST + Math.min(ends[1] + POINTS * CELL, SURE + Math.log(K))) / CELL);
  const values = new Float64Array(stop - start + 1);
  for (let i = start; i <= stop; i++) {
    // v = a + u on the fine lattice: a = i CELL - LEAST, u = (j - BELOW) STEP
    const last = Math.min(others.length - 1, Math.floor((N_KERNEL - i) / FINE));
    let sum = 0;
    for (let j = Math.max(0, last - WINDOW); j <= last; j++) sum += KERNEL[i + j * FINE] * others[j];
    values[i - start] = Math.log(K * STEP * sum);
  }
  return { K, top, start, values };
}

const POINTS = 8; // of the polynomial between lattice points
const INVERSE = Array.from({ length: POINTS }, (_, i) => {
  let product = 1;
  for (let j = 0; j < POINTS; j++) if (j !== i) product /= i - j;
  return product;
});

// Read a table at a log weight.
export function logShare({ K, top, start, values }, logW) {
  if (K === 1) return 0;
  const place = (logW - top + LEAST) / CELL - start;
  if (place < 0) return values[0] + place * CELL; // a small weight's share is in proportion to it
  if (place >= values.length - 1) return values[values.length - 1];
  const first = Math.min(values.length - POINTS, Math.max(0, Math.floor(place) - POINTS / 2 + 1));
  const x = place - first;
  let [sum, product] = [0, 1];
  for (let i = 0; i < POINTS; i++) {
    if (x === i) return values[first + i];
    sum += (INVERSE[i] * values[first + i]) / (x - i);
    product *= x - i;
  }
  return product * sum;
}

// KL(q_K || p) in nats, where log p(x) is known; at K = 1 KL(q || p).
function klUsed({ logW, probability }, table, logMarginal) {
  let sum = 0;
  for (let i = 0; i < logW.length; i++) {
    const log = logShare(table, logW[i]);
    sum += probability[i] * Math.exp(log) * (log - logW[i] + logMarginal);
  }
  return Math.max(0, sum);
}

// The same for a K of which nothing else is asked: a table of the law's own weights is enough.
export function klAt(of, K, logMarginal) {
  return klUsed(of, shareTable(of, K, [of.least, 0]), logMarginal);
}

// Log weights at the nodes of q, { loc, scale } with two coordinates each, from a table of log p(x, z):
// values between points, and beyond the edge, continue straight. A drawing aid, not the exact weights.
export function weightsFromGrid(grid, q, eps) {
  const count = eps.length / 2;
  const logScale = Math.log(q.scale[0] * q.scale[1]);
  const found = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    const [e1, e2] = [eps[2 * i], eps[2 * i + 1]];
    const logQ = logNormal(e1) + logNormal(e2) - logScale;
    found[i] = between(grid, q.loc[0] + q.scale[0] * e1, q.loc[1] + q.scale[1] * e2) - logQ;
  }
  return found;
}

// Every other node in both directions, for a picture that moves: a fourth of the work.
export function thinned(eps, probability, step) {
  const kept = [];
  for (let i = 0; i < probability.length; i++) {
    const even = (at) => Math.abs(Math.round(eps[at] / step)) % 2 === 0;
    if (even(2 * i) && even(2 * i + 1)) kept.push(i);
  }
  const total = kept.reduce((sum, i) => sum + probability[i], 0);
  return {
    eps: Float64Array.from(kept.flatMap((i) => [eps[2 * i], eps[2 * i + 1]])),
    probability: Float64Array.from(kept, (i) => probability[i] / total),
  };
}

export function between({ values, n, low, high }, z1, z2) {
  const row = ((z1 - low[0]) / (high[0] - low[0])) * n - 0.5;
  const column = ((z2 - low[1]) / (high[1] - low[1])) * n - 0.5;
  const i = Math.min(n - 2, Math.max(0, Math.floor(row)));
  const j = Math.min(n - 2, Math.max(0, Math.floor(column)));
  const [a, b] = [row - i, column - j];
  const at = i * n + j;
  return (
    (1 - a) * ((1 - b) * values[at] + b * values[at + 1]) +
    a * ((1 - b) * values[at + n] + b * values[at + n + 1])
  );
}
