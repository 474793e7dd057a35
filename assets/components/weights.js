// The only formulas in JavaScript. tests/ui/test_weights_js.py runs this file under Node and holds
// every function to iwae_core.sampling.weights. Log weights are in nats.

export function logSumExp(logW) {
  const largest = Math.max(...logW);
  if (largest === -Infinity) return -Infinity;
  let sum = 0;
  for (const value of logW) sum += Math.exp(value - largest);
  return largest + Math.log(sum);
}

export function logMeanExp(logW) {
  return logSumExp(logW) - Math.log(logW.length);
}

export function normalize(logW) {
  const total = logSumExp(logW);
  return Array.from(logW, (value) => Math.exp(value - total));
}

export function ess(logW) {
  return Math.exp(2 * logSumExp(logW) - logSumExp(Array.from(logW, (value) => 2 * value)));
}

export function maxWeight(logW) {
  return Math.exp(Math.max(...logW) - logSumExp(logW));
}
