// The only formulas in JavaScript. tests/ui/test_weights_js.py runs this file under Node and holds
// every function to iwae_core.sampling. Log weights and log densities are in nats.

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

// Densities as iwae_core/ui/formulas.py describes them: a family and its parameters. A Student t
// brings its `log_constant`, log Gamma((df+1)/2) - log Gamma(df/2) - log(df pi)/2, since JavaScript
// has no gamma function.
export function logDensity(density, z) {
  const x = (z - density.loc) / density.scale;
  switch (density.family) {
    case "normal":
      return -0.5 * x * x - HALF_LOG_TWO_PI - Math.log(density.scale);
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
