// What the heaviest weights say, and what mends them: Pareto tails, smoothing, resampling; and the tail
// of a Normal. tests/ui/test_tails_js.py and test_better_js.py hold every function to iwae_core.

import { logNormal, normalize } from "./weights.js";

// Shape of the generalized Pareto law of the largest weights, as sampling.psis.k_hat (Zhang and
// Stephens); Infinity where no tail can be fitted, -Infinity where there is none.
export function kHat(logW) {
  return fitTail(logW).k;
}

// k-hat with the scale and threshold of the fitted law, relative to the largest weight, and the
// number of weights in the tail.
function fitTail(logW) {
  const K = logW.length;
  const n = K > 225 ? Math.floor(3 * Math.sqrt(K)) : Math.floor(K / 5);
  if (n < 5) return { k: Infinity };
  const sorted = Float64Array.from(logW).sort();
  const peak = sorted[K - 1];
  const size = sorted.reduce((most, v) => (Number.isFinite(v) ? Math.max(most, Math.abs(v)) : most), 1);
  if (peak - sorted[K - n] <= 8 * Number.EPSILON * size) return { k: -Infinity };
  const threshold = Math.exp(sorted[K - n - 1] - peak);
  const { k, sigma } = zhangStephens(sorted.subarray(K - n).map((value) => Math.exp(value - peak) - threshold));
  return { k: Number.isNaN(k) ? Infinity : k, sigma, threshold, peak, n };
}

// The largest log weights replaced by quantiles of the fitted law, as sampling.psis.smooth.
export function smoothed(logW) {
  const found = Float64Array.from(logW);
  const { k, sigma, threshold, peak, n } = fitTail(logW);
  if (!Number.isFinite(k) || !(sigma > 0)) return found;
  const order = Array.from(logW.keys()).sort((i, j) => logW[j] - logW[i] || i - j);
  for (let rank = 0; rank < n; rank++) {
    const rest = -Math.log1p(-(n - rank - 0.5) / n);
    const spread = k === 0 ? rest : Math.expm1(k * rest) / k;
    found[order[rank]] = peak + Math.min(0, Math.log(threshold + sigma * spread));
  }
  return found;
}

// How often each draw is copied by systematic resampling to as many draws, with one random number
// `offset` in [0, 1), as sampling.resampling.systematic.
export function copies(logW, offset) {
  const K = logW.length;
  const w = normalize(logW);
  const found = new Float64Array(K);
  const total = w.reduce((sum, weight) => sum + weight, 0);
  let [k, passed] = [0, w[0]];
  for (let i = 0; i < K; i++) {
    const u = Math.min((i + offset) / K, 1 - 2 ** -53) * total;
    while (passed <= u && k < K - 1) passed += w[++k];
    found[k]++;
  }
  return found;
}

// The same of excesses x, smallest first.
function zhangStephens(x) {
  const n = x.length;
  const m = 30 + Math.floor(Math.sqrt(n));
  const quartile = x[Math.floor(n / 4 + 0.5) - 1];
  const shape = (b) => x.reduce((sum, excess) => sum + Math.log1p(-b * excess), 0) / n;
  const [bs, logs] = [new Float64Array(m), new Float64Array(m)];
  for (let i = 0; i < m; i++) {
    bs[i] = (1 - Math.sqrt(m / (i + 0.5))) / (3 * quartile) + 1 / x[n - 1];
    const k = shape(bs[i]);
    logs[i] = n * (Math.log(-bs[i] / k) - k - 1);
  }
  const likely = normalize(logs).map((weight) => (weight >= 10 * Number.EPSILON ? weight : 0));
  const total = likely.reduce((sum, weight) => sum + weight, 0);
  const b = likely.reduce((sum, weight, i) => sum + weight * bs[i], 0) / total;
  const k = shape(b);
  return { k: (n * k + 5) / (n + 10), sigma: -k / b };
}

// Exact tail index of the weights of a Normal q, as sampling.divergences.tail_index.
export function tailIndex(target, q) {
  if (target.family === "student_t") return 1;
  return Math.max(0, 1 - (q.scale / target.scale) ** 2);
}

// log P(Z > x) for a standard normal Z: a series near the center, a continued fraction beyond.
export function logNormalTail(x) {
  if (x < 0) return Math.log1p(-Math.exp(logNormalTail(-x)));
  const logPeak = logNormal(x);
  if (x < 2.5) {
    let [term, sum] = [x, x];
    for (let n = 3; term > 1e-18 * sum; n += 2) sum += term *= (x * x) / n;
    return Math.log(0.5 - Math.exp(logPeak) * sum);
  }
  let fraction = x;
  for (let n = 160; n > 0; n--) fraction = x + n / fraction;
  return logPeak - Math.log(fraction);
}

// Relative deviation of one term of P(Z > a), drawn from N(shift, 1); as studies.rare.relative.
export function rareDeviation(a, shift) {
  const logMoment = shift * shift + logNormalTail(a + shift);
  return Math.sqrt(Math.max(0, Math.expm1(logMoment - 2 * logNormalTail(a))));
}
