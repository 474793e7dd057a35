// What the live picture says in words: the line above it, and what a screen reader hears.

import { sub } from "./numbers.js";
import { minus } from "./plot.js";
import { after } from "./train_series.js";
import { thousands } from "./train_transport.js";

const WORDS = {
  playing: "Training", paused: "Paused", stopped: "Stopped", starting: "Starting", back: "Looking back",
};

// How a run stands: `mode` is the server's, or "back" for a look at an earlier step, of which the
// nearest picture before it that is kept may be of the step `seen`.
export function statusLine({ meta, heldOut, deep, steps }, mode, step, seen = step) {
  if (!meta) return "Starting …";
  const { steps_per_second: speed, n_samples: K, cause } = meta;
  const parts = [
    word(meta, mode, step),
    `step ${thousands(step)}${seen === step ? "" : ` (picture of ${thousands(seen)})`}`,
    `K = ${K}`,
  ];
  if (speed && mode === "playing") parts.push(`${Math.round(speed)} steps/s`);
  if (meta.queue && mode === "playing") parts.push(meta.queue);
  const bounds = heldOut[after(heldOut, step) - 1];
  // K may have been changed since: then the bound with it is not known yet.
  const same = (steps.points[after(steps.points, bounds?.[0]) - 1]?.[3] ?? K) === K;
  if (bounds) parts.push(boundsText(same ? K : null, bounds, deep[after(deep, step) - 1], step));
  // Bounds are taken now and then: far back those in sight may be of a much earlier step.
  if (bounds && mode === "back" && bounds[0] !== step) parts.push(`bounds of step ${thousands(bounds[0])}`);
  if (cause) parts.push(cause);
  return parts.join(" · ");
}

function word({ replaying_to: goal, opening_to: opening, asked_for: asked }, mode, step) {
  if (mode === "back") return WORDS.back;
  if (goal !== null) return `Replaying to step ${thousands(goal)}`;
  if (opening !== null && mode === "playing") return `Taking its first ${thousands(opening)} steps`;
  if (mode === "paused" && step && !asked) return "Paused after its first steps: Play goes on";
  return WORDS[mode];
}

function boundsText(K, [, one, ofK, many], deep, step) {
  const names = new Map([["L₁", one], ...(K === null ? [] : [[`L${sub(K)}`, ofK]]), ["L₆₄", many]]);
  // A bound that comes rarely stands beside the others only while it is about the same model.
  if (deep && deep[0] >= 0.95 * step) names.set("L₅₁₂", deep[1]);
  const known = [...names].filter(([, value]) => Number.isFinite(value));
  if (!known.length) return "held-out bounds are not finite: the run has diverged";
  return `${known.map(([name, value]) => `${name}\u00a0=\u00a0${minus(value.toFixed(2))}`).join(", ")} nats`;
}

export const spoken = (state, step, cause) => `${WORDS[state]}, step ${step}. ${cause ?? ""}`;
