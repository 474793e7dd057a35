// The only formulas in JavaScript, with those of tails.js, used.js and network.js beside them.
// tests/ui/test_weights_js.py runs this file under Node and holds every function to
// iwae_core.sampling. Log weights and log densities are in nats.

export function logSumExp(logW) {
  let largest = -Infinity;
  for (const value of logW) if (value > largest) largest = value;
  if (largest === -Infinity) return -Infinity;
  let sum = 0;
  for (const value of logW) sum += Math.exp(value - largest);
  return largest + Math.log(sum);
}

export function logMeanExp(logW) {
  return logSumExp(logW) - Math.log(logW.length);
}

// Plain loops: the callbacks of Float64Array.from cost more than the exponentials.
export function normalize(logW) {
  const total = logSumExp(logW);
  const w = new Float64Array(logW.length);
  for (let k = 0; k < w.length; k++) w[k] = Math.exp(logW[k] - total);
  return w;
}

export function ess(logW) {
  const total = logSumExp(logW);
  let squares = 0;
  for (const value of logW) squares += Math.exp(2 * (value - total));
  return 1 / squares;
}

export function maxWeight(logW) {
  let largest = -Infinity;
  for (const value of logW) if (value > largest) largest = value;
  return Math.exp(largest - logSumExp(logW));
}

const HALF_LOG_TWO_PI = 0.5 * Math.log(2 * Math.PI);

// log density of a normal; of several independent coordinates, add it up.
export function logNormal(z, loc = 0, scale = 1) {
  const x = (z - loc) / scale;
  return -0.5 * x * x - HALF_LOG_TWO_PI - Math.log(scale);
}

// Densities as iwae_core/ui/formulas.py describes them: a family and its parameters. A Student t
// brings its `log_constant`, log Gamma((df+1)/2) - log Gamma(df/2) - log(df pi)/2, since JavaScript
// has no gamma function.
export function logDensity(density, z) {
  const x = (z - density.loc) / density.scale;
  switch (density.family) {
    case "normal":
      return logNormal(z, density.loc, density.scale);
    case "student_t":
      return (
        density.log_constant -
        0.5 * (density.df + 1) * Math.log1p((x * x) / density.df) -
        Math.log(density.scale)
      );
    case "laplace":
      return -Math.abs(x) - Math.log(2 * density.scale);
    case "uniform": // of half width `scale` around `loc`
      return Math.abs(x) <= 1 ? -Math.log(2 * density.scale) : -Infinity;
    case "exponential":
      return x >= 0 ? -x - Math.log(density.scale) : -Infinity;
    case "truncated":
      return z >= (density.low ?? -Infinity) && z <= (density.high ?? Infinity)
        ? density.log_factor + logDensity(density.base, z)
        : -Infinity;
    case "scaled":
      return density.log_factor + logDensity(density.base, z);
    case "mixture":
      return logSumExp(
        density.components.map((part, i) => Math.log(density.weights[i]) + logDensity(part, z)),
      );
    case "curve": // heights at even steps from low to high, joined by straight lines
      return Math.log(heightOfCurve(density, z)) - Math.log(areaOfCurve(density));
    default:
      throw new Error(`no formula for the density ${density.family}`);
  }
}

function heightOfCurve({ low, high, heights }, z) {
  if (!(z >= low && z <= high)) return 0;
  const place = ((z - low) / (high - low)) * (heights.length - 1);
  const left = Math.min(Math.floor(place), heights.length - 2);
  return heights[left] + (place - left) * (heights[left + 1] - heights[left]);
}

function areaOfCurve({ low, high, heights }) {
  const ends = 0.5 * (heights[0] + heights[heights.length - 1]);
  const sum = heights.reduce((total, height) => total + height, 0) - ends;
  return (sum * (high - low)) / (heights.length - 1);
}

// The functions whose mean is asked for, as iwae_core/ui/formulas.py describes them.
export function integrand(f, z) {
  switch (f.kind) {
    case "power":
      return z ** f.degree;
    case "exceeds":
      return z > f.threshold ? 1 : 0;
    case "tilt":
      return Math.exp(f.rate * z);
    default:
      throw new Error(`no formula for the integrand ${f.kind}`);
  }
}

// Estimates from the first 1, 2 .. K draws and their reported standard errors, as
// sampling.estimators.importance (plain) and self_normalized; the error of one draw is infinite.
export function running(fs, logW, plain) {
  const K = fs.length;
  const peak = logW.reduce((most, value) => Math.max(most, value), -Infinity);
  const [values, errors] = [new Float64Array(K), new Float64Array(K)];
  // Sums of w, w f, w^2, w^2 f, w^2 f^2, with w relative to the heaviest and f to a rough center.
  let [s1, sf, s2, s2f, s2ff] = [0, 0, 0, 0, 0];
  const center = middle(fs, logW, peak, plain);
  const unit = plain ? Math.exp(peak) : 1;
  for (let k = 0; k < K; k++) {
    const w = Math.exp(logW[k] - peak);
    const n = k + 1;
    if (plain) {
      const term = w * fs[k] - center;
      s1 += term;
      s2 += term * term;
      const mean = s1 / n;
      values[k] = (center + mean) * unit;
      const variance = Math.max(0, s2 / n - mean * mean);
      errors[k] = n > 1 ? Math.sqrt(variance / (n - 1)) * unit : Infinity;
    } else {
      const g = fs[k] - center;
      s1 += w;
      sf += w * g;
      s2 += w * w;
      s2f += w * w * g;
      s2ff += w * w * g * g;
      const shift = sf / s1;
      values[k] = center + shift;
      const squares = Math.max(0, s2ff - 2 * shift * s2f + shift * shift * s2);
      errors[k] = n > 1 ? Math.sqrt((squares * n) / (n - 1)) / s1 : Infinity;
    }
  }
  return { values, errors };
}

function middle(fs, logW, peak, plain) {
  let [sum, total] = [0, 0];
  for (let k = 0; k < fs.length; k++) {
    const w = Math.exp(logW[k] - peak);
    sum += w * fs[k];
    total += plain ? 1 : w;
  }
  return total > 0 ? sum / total : 0;
}

// The same weights in boxes of K neighbors: log of each box's mean, as bounds.objectives.iwae.
export function boxes(logW, K) {
  const found = new Float64Array(logW.length / K);
  for (let i = 0; i < found.length; i++) found[i] = logMeanExp(logW.slice(i * K, (i + 1) * K));
  return found;
}

export function mean(values) {
  let sum = 0;
  for (const value of values) sum += value;
  return sum / values.length;
}

// Mean of the first n values and its standard error.
export function meanAndError(values, n = values.length) {
  const shown = values.slice(0, n);
  const center = mean(shown);
  let squares = 0;
  for (const value of shown) squares += (value - center) ** 2;
  return { mean: center, error: n > 1 ? Math.sqrt(squares / (n - 1) / n) : Infinity };
}

// Mean of single runs of the bound, with the mean weight as a control variate where its variance
// over p(x)^2 is below one; as evaluation.studies.tightness.mean_of_runs.
export function meanOfRuns(single, logMarginal, variance) {
  if (!(variance < 1)) return meanAndError(single);
  return meanAndError(single.map((run) => run - Math.expm1(run - logMarginal)));
}

// Laws of a weight over p(x) and their variance, as evaluation.studies.microscope. `noise` is
// N(0, 1) for the lognormal law and log U, U uniform, for the other two.
export function logRatio(law, sigma, noise) {
  if (law === "lognormal") return sigma * noise - 0.5 * sigma * sigma;
  const sign = law === "bounded" ? 1 : -1;
  return Math.log1p(sign * sigma) + sign * sigma * noise;
}

export function ratioVariance(law, sigma) {
  if (law === "lognormal") return Math.expm1(sigma * sigma);
  const s = law === "bounded" ? sigma : -sigma;
  return s > -0.5 ? (s * s) / (1 + 2 * s) : Infinity;
}

// Bounds of single runs: column r holds the weights of run r, `noise` is (rows, runs), K <= rows.
export function runsOfRatios(law, sigma, noise, nRuns, K) {
  const single = new Float64Array(nRuns);
  const column = new Float64Array(K);
  for (let r = 0; r < nRuns; r++) {
    for (let k = 0; k < K; k++) column[k] = logRatio(law, sigma, noise[k * nRuns + r]);
    single[r] = logMeanExp(column);
  }
  return single;
}

// Gaussians of two dimensions, { mean: [a, b], covariance: [[..], [..]] }: q beside the exact
// posterior as evaluation.studies.tightness.make_q, and two divergences in closed form.
export function mismatched(posterior, shift, scale, correlated) {
  const [[a, b], [, d]] = posterior.covariance;
  const root = Math.sqrt(a);
  const center = [posterior.mean[0] + shift * root, posterior.mean[1] + (shift * b) / root];
  const det = a * d - b * b;
  const [s, u, v] = correlated ? [a, b, d] : [det / d, 0, det / a];
  const square = scale * scale;
  return { mean: center, covariance: [[square * s, square * u], [square * u, square * v]] };
}

export function gaussianKl(q, p) {
  const precision = inverse(p.covariance);
  const trace =
    precision[0][0] * q.covariance[0][0] +
    2 * precision[0][1] * q.covariance[0][1] +
    precision[1][1] * q.covariance[1][1];
  const shift = [q.mean[0] - p.mean[0], q.mean[1] - p.mean[1]];
  return 0.5 * (trace - 2 + form(precision, shift) + Math.log(det(p.covariance) / det(q.covariance)));
}

// log E_q[(p / q)^2]; infinite where 2 / S_p - 1 / S_q is no precision.
export function gaussianLogSquare(p, q) {
  const [P, Q] = [inverse(p.covariance), inverse(q.covariance)];
  const M = P.map((row, i) => row.map((value, j) => 2 * value - Q[i][j]));
  if (!(M[0][0] > 0 && det(M) > 0)) return Infinity;
  const shift = [q.mean[0] - p.mean[0], q.mean[1] - p.mean[1]];
  // p^2 / q is a Gaussian around p's mean with precision M, tilted by q's: complete the square.
  const tilt = [Q[0][0] * shift[0] + Q[0][1] * shift[1], Q[1][0] * shift[0] + Q[1][1] * shift[1]];
  const log = Math.log(det(P)) - 0.5 * Math.log(det(Q)) - 0.5 * Math.log(det(M));
  return log + 0.5 * (form(Q, shift) + form(inverse(M), tilt));
}

const det = ([[a, b], [c, d]]) => a * d - b * c;
const form = ([[a, b], [, d]], [x, y]) => a * x * x + 2 * b * x * y + d * y * y;

function inverse(matrix) {
  const [[a, b], [c, d]] = matrix;
  const size = det(matrix);
  return [[d / size, -b / size], [-c / size, a / size]];
}
