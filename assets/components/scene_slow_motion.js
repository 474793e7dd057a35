// Slow motion: one datapoint of a run in five phases, sample -> weight -> average -> log -> gradient.
// What is drawn was computed by Python; here it only appears, phase by phase.

import { digits, fixed } from "./numbers.js";
import { draw, place } from "./slow_picture.js";

const N_PHASES = 5;
export const PLAY_MS = 3200; // enough to read a caption

function decode(meta, arrays) {
  const values = Object.fromEntries(Object.entries(arrays).map(([name, { values: each }]) => [name, each]));
  const size = arrays.decoded?.shape[1];
  const images = arrays.decoded && Array.from({ length: arrays.decoded.shape[0] }, (_, i) =>
    arrays.decoded.values.subarray(i * size, (i + 1) * size));
  return { ...meta, ...values, images, n: values.z.length / 2, columns: meta.image_shape };
}

// The phase that is on: the one that `place` is on its way through.
const phaseAt = (at) => Math.max(1, Math.min(N_PHASES, Math.ceil(at - 0.02)));
const compute = () => ({});
const glide = ({ slow_phase: phase }) => phase;

const height = (width, model) => (model ? place(width, model).height : 400);
const layout = ({ pen, width }, state, numbers, model) => ({ ...place(width, model), pen });

function handles({ place: at, view: { track } }) {
  const phase = phaseAt(at);
  return [{
    name: "phase", label: "Phase", tone: "weights", value: phase, low: 1, high: N_PHASES,
    x: track.toX(at), y: track.y, text: track.names[phase - 1],
  }];
}

const within = (phase) => Math.max(1, Math.min(N_PHASES, phase));
const at = (state, phase) => ({ ...state, slow_phase: +within(phase).toFixed(2) });
const drag = (name, point, { state, view: { track } }) => at(state, track.toPhase(point.x));
const nudge = (name, steps, { state }) =>
  at(state, steps > 0 ? Math.floor(state.slow_phase + 1) : Math.ceil(state.slow_phase - 1));

const next = (state) => (state.slow_phase < N_PHASES ? at(state, Math.floor(state.slow_phase + 1)) : null);
const first = (state) => at(state, 1);

function buttons({ playing }) {
  return [
    { name: "play", label: playing ? "Hold" : "Play the phases", pressed: Boolean(playing) },
    { name: "back", label: "Phase back" },
    { name: "next", label: "Next phase" },
  ];
}

const press = (name, context) => nudge("phase", name === "next" ? 1 : -1, context);

function formula({ model, place: where }) {
  const on = phaseAt(where);
  const { n_samples: K, kind } = model;
  const best = model.log_w[0];
  const term = (phase, symbol, value, role) => ({ symbol, value, role, term: model.phases[phase - 1].name, lit: phase === on });
  const drawn = term(1, "z<sub>k</sub> ~ q(z|x)", `K = ${K}`, "proposal");
  const pulls = term(5, "∇ = Σ<sub>k</sub> c<sub>k</sub> ∇ log w<sub>k</sub>", `${model.encoder.text} | ${model.decoder.text}`, null);
  const gap = { symbol: "," };
  if (kind === "closed") {
    const score = Math.max(...model.log_likelihood);
    return [
      drawn, gap, term(2, "log p(x|z<sub>k</sub>)", `${fixed(score)} at best`, "target"), gap,
      term(3, `<span class='sum'>Σ</span><sub>k</sub> / ${K}`, "each alike", "weights"), gap,
      term(4, "− KL(q‖p(z))", `ELBO ${fixed(model.objective)}`, "bound"), gap,
      { ...pulls, symbol: "∇ = Σ<sub>k</sub> ∇ log p(x|z<sub>k</sub>)/K − ∇KL" },
    ];
  }
  const weight = term(2, "w<sub>k</sub> = p(x, z<sub>k</sub>) / q(z<sub>k</sub>|x)", `log w ${fixed(best)} at best`, "weights");
  const mean = term(3, `1/${K} <span class='sum'>Σ</span><sub>k</sub>`, `${digits(model.ess)} of ${K} count`, "weights");
  const log = (value) => term(4, "log", value, "bound");
  if (kind === "elbo") return [drawn, gap, weight, gap, { symbol: "ELBO =" }, { ...mean, value: "each 1/K" }, log(fixed(model.objective)), { symbol: "w<sub>k</sub>" }, gap, pulls];
  if (kind === "iwae") return [drawn, gap, weight, gap, { symbol: `L<sub>${K}</sub> =` }, log(fixed(model.objective)), mean, { symbol: "w<sub>k</sub>" }, gap, pulls];
  return [
    drawn, gap, weight, gap, term(3, "c<sub>k</sub> = ∂L/∂log w<sub>k</sub>", `up to ${digits(Math.max(...model.share))}`, "weights"), gap,
    term(4, "L(log w)", fixed(model.objective), "bound"), gap, pulls,
  ];
}

const says = ({ model, place: where }) => {
  const { name, caption } = model.phases[phaseAt(where) - 1];
  return `Phase ${phaseAt(where)}, ${name}: ${caption}`;
};

function cards({ model }) {
  const { kind, n_samples: K } = model;
  const value = { closed: "ELBO, KL in closed form", elbo: "ELBO of these samples", iwae: `L_${K} of these samples`, other: "Objective" }[kind];
  return [
    { label: value, value: fixed(model.objective), note: "nats, what this run climbs" },
    { label: "Mean of log w", value: fixed(model.elbo), note: "the ELBO, by these samples" },
    { label: "Log of mean w", value: fixed(model.bound), note: `L_${K} of this draw` },
    { label: "ESS", value: digits(model.ess), note: `of ${K} samples` },
    { label: "Encoder | decoder", value: `${model.encoder.text} | ${model.decoder.text}`, note: "lengths of the gradient, nats per unit" },
  ];
}

function table({ model }) {
  const rows = Array.from({ length: model.n }, (_, i) => [
    model.number[i] + 1, model.z[2 * i], model.z[2 * i + 1], model.log_joint[i], model.log_q[i], model.log_w[i],
    model.weight[i], model.share[i], model.encoder_share[i], model.encoder_along[i], model.decoder_along[i],
  ]);
  return [["sample", "z_a", "z_b", "log_joint", "log_q", "log_w", "weight", "share", "encoder_share", "encoder_pull", "decoder_pull"], ...rows];
}

export default {
  decode, compute, glide, height, layout, draw: (pen, context) => draw(pen, context, phaseAt(context.place)), handles, drag, nudge,
  next, first, PLAY_MS, buttons, press, formula, cards, says, table,
};
