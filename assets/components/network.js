// A small trained network in the browser, so that what is drawn or dragged is weighed exactly and at once.
// tests/ui/test_network_js.py runs every function under Node and holds it to iwae_core.models.vae.
//
// A network is { encoder, decoder }, each a list of layers { weight, bias }: weights by rows, one row
// for each output. Hidden units are tanh; the encoder's last layer gives means, then log scales; the
// decoder's gives the logits of black and white pixels. z holds two coordinates for each particle.

import { logNormal } from "./weights.js";

// Layers from one array of all their numbers: weight, bias, weight, bias; `sizes` from in to out.
export function layersOf(numbers, sizes) {
  let at = 0;
  const take = (count) => Float64Array.from(numbers.subarray(at, (at += count)));
  return Array.from({ length: sizes.length - 1 }, (_, i) => ({
    weight: take(sizes[i] * sizes[i + 1]), bias: take(sizes[i + 1]),
  }));
}

// Both networks from what Python sends: `sizes` names the widths, the rest are the arrays.
export const networkOf = (encoder, decoder, sizes) => ({
  encoder: layersOf(encoder, sizes.encoder), decoder: layersOf(decoder, sizes.decoder),
});

// Four inputs side by side go through a layer at once: four sums that do not wait for each other.
const LANES = 4;

function linear({ weight, bias }, input, output) {
  const [n, m] = [input.length, bias.length];
  for (let j = 0, at = 0; j < m; j++) {
    let [a, b, c, d] = [bias[j], bias[j], bias[j], bias[j]];
    for (let i = 0; i < n; i += LANES) {
      const w = weight[at++];
      a += w * input[i];
      b += w * input[i + 1];
      c += w * input[i + 2];
      d += w * input[i + 3];
    }
    output[LANES * j] = a;
    output[LANES * j + 1] = b;
    output[LANES * j + 2] = c;
    output[LANES * j + 3] = d;
  }
}

// tanh by one exponential: four times as fast as Math.tanh.
function bend(values) {
  for (let i = 0; i < values.length; i++) values[i] = 1 - 2 / (Math.exp(2 * values[i]) + 1);
}

// A function from four inputs side by side to the last layer's values, overwritten by the next call.
function runner(layers) {
  const values = layers.map(({ bias }) => new Float64Array(LANES * bias.length));
  return (input) => {
    layers.forEach((layer, i) => {
      linear(layer, i === 0 ? input : values[i - 1], values[i]);
      if (i < layers.length - 1) bend(values[i]);
    });
    return values[values.length - 1];
  };
}

// The last layer's values for one input.
function single(layers, input) {
  const lanes = new Float64Array(LANES * input.length);
  input.forEach((value, i) => (lanes[LANES * i] = value));
  return runner(layers)(lanes).filter((_, i) => i % LANES === 0);
}

// The encoder's q of a datapoint: { loc, scale }, a number for each latent coordinate.
export function encode({ encoder }, x) {
  const found = single(encoder, x);
  const d = found.length / 2;
  return { loc: found.slice(0, d), scale: found.slice(d).map(Math.exp) };
}

// log p(x, z) in nats of every particle.
export function logJoint({ decoder }, x, z) {
  const [decoded, count] = [runner(decoder), z.length / 2];
  const [found, lanes] = [new Float64Array(count), new Float64Array(2 * LANES)];
  for (let k = 0; k < count; k += LANES) {
    const here = Math.min(LANES, count - k);
    for (let lane = 0; lane < here; lane++) {
      lanes[lane] = z[2 * (k + lane)];
      lanes[LANES + lane] = z[2 * (k + lane) + 1];
    }
    const logits = decoded(lanes);
    for (let lane = 0; lane < here; lane++) {
      // x l - softplus(l) = x l - max(l, 0) - log(1 + exp(-|l|)); 64 factors below two: no overflow
      let [sum, product] = [0, 1];
      for (let j = 0; j < x.length; j++) {
        const l = logits[LANES * j + lane];
        sum += x[j] * l - (l > 0 ? l : 0);
        product *= 1 + Math.exp(l > 0 ? -l : l);
      }
      const [z1, z2] = [lanes[lane], lanes[LANES + lane]];
      found[k + lane] = sum - Math.log(product) + logNormal(z1) + logNormal(z2);
    }
  }
  return found;
}

// Probability of black of every pixel, for one place z.
export function decode({ decoder }, z) {
  return single(decoder, z).map((l) => 1 / (1 + Math.exp(-l)));
}

// Particles of q from noise, two coordinates each, and their log weights.
export function weighed(network, x, { loc, scale }, eps) {
  const z = eps.map((value, i) => loc[i % 2] + scale[i % 2] * value);
  const logW = logJoint(network, x, z);
  const logScale = Math.log(scale[0] * scale[1]);
  for (let k = 0; k < logW.length; k++) {
    logW[k] -= logNormal(eps[2 * k]) + logNormal(eps[2 * k + 1]) - logScale;
  }
  return { z, logW };
}

// log p(x, z) on midpoints of n by n cells; z_2 runs fastest.
export function logJointOnGrid(network, x, { low, high, n }) {
  const at = (axis, i) => low[axis] + ((i + 0.5) / n) * (high[axis] - low[axis]);
  const z = new Float64Array(2 * n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      z[2 * (i * n + j)] = at(0, i);
      z[2 * (i * n + j) + 1] = at(1, j);
    }
  }
  return logJoint(network, x, z);
}

// The posterior as a table where it is: a coarse grid finds the box, a finer one fills it.
// `values` are log p(x, z); `logMarginal` is their integral, a drawing aid and not the exact answer.
export function posteriorTable(network, x, { low, high, n }, deep = 12) {
  const coarse = logJointOnGrid(network, x, { low, high, n });
  const floor = coarse.reduce((most, value) => Math.max(most, value), -Infinity) - deep;
  const ends = [[n, -1], [n, -1]];
  for (let i = 0; i < n * n; i++) {
    if (coarse[i] < floor) continue;
    [Math.floor(i / n), i % n].forEach((cell, axis) => {
      ends[axis] = [Math.min(ends[axis][0], cell), Math.max(ends[axis][1], cell)];
    });
  }
  const cell = [0, 1].map((axis) => (high[axis] - low[axis]) / n);
  const box = {
    low: ends.map(([first], axis) => low[axis] + (first - 1) * cell[axis]),
    high: ends.map(([, last], axis) => low[axis] + (last + 2) * cell[axis]),
    n,
  };
  const values = logJointOnGrid(network, x, box);
  const peak = values.reduce((most, value) => Math.max(most, value), -Infinity);
  const total = values.reduce((sum, value) => sum + Math.exp(value - peak), 0);
  const area = ((box.high[0] - box.low[0]) * (box.high[1] - box.low[1])) / (n * n);
  return { ...box, values, logMarginal: peak + Math.log(total * area) };
}
