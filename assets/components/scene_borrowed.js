// Borrowed samples: q is dragged over p, the same particles move with it, stems are their weights.

import { draw } from "./borrowed_picture.js";
import { isDrawn, paint, paintKey, paints, targetOf } from "./drawn_target.js";
import { digits, percent } from "./numbers.js";
import { readable } from "./plot.js";
import { ess, integrand, logDensity, logMeanExp, maxWeight, normalize, running } from "./weights.js";

const WINDOW = [-8, 8]; // of z, the same for every q, so that nothing moves but q
const N_CURVE = 240;
const N_TOP = 5;
const TAILED = new Set(["normal", "student_t"]);
const TAIL_AT = 2.6; // scales from the center, where the tail handle stands
const HEADROOM = 1.12; // of the panel above the highest curve
const STOP_PX = 16; // dragged height that moves the tail by one stop

function decode(meta, arrays, before) {
  const K = arrays.fixed.values.length;
  const rows = arrays.x.shape[0];
  const x = Array.from({ length: rows }, (_, i) => arrays.x.values.subarray(i * K, (i + 1) * K));
  const grid = Float64Array.from({ length: N_CURVE + 1 }, (_, i) => at(WINDOW, i / N_CURVE));
  return { ...meta, K, x, fixed: arrays.fixed.values, ghosts: arrays.ghosts, n: arrays.n, grid, knot: before?.knot ?? 0 };
}

const at = ([low, high], part) => low + part * (high - low);

// Noise and constants are there for some degrees of freedom: on the way between two states, which
// the engine eases, the nearest of them counts.
function stopOf(df, { df_stops: stops }) {
  const away = stops.map((stop) => Math.abs(Math.log(stop / df)));
  return away.indexOf(Math.min(...away));
}

// q as the formulas know it.
function proposal({ family, loc, scale, df }, model) {
  const core = { family, loc, scale };
  if (family === "student_t") {
    const stop = stopOf(df, model);
    return { ...core, df: model.df_stops[stop], log_constant: model.log_constants[stop] };
  }
  if (family !== "defensive") return core;
  const components = [{ family: "normal", loc, scale }, model.safe];
  return { family: "mixture", components, weights: [1 - model.safe_share, model.safe_share] };
}

function compute(state, model) {
  const { K, fixed: stays } = model;
  const target = targetOf(state, model);
  const q = proposal(state, model);
  const row = state.family === "student_t" ? stopOf(state.df, model) : model.x.length - 1;
  const x = model.x[row];
  const [z, logW, f] = [new Float64Array(K), new Float64Array(K), new Float64Array(K)];
  for (let k = 0; k < K; k++) {
    z[k] = Number.isNaN(stays[k]) ? state.loc + state.scale * x[k] : stays[k];
    logW[k] = logDensity(target, z[k]) - logDensity(q, z[k]);
    f[k] = integrand(model.f, z[k]);
  }
  const path = running(f, logW, model.average === "importance");
  const alive = logMeanExp(logW) > -Infinity;
  return {
    q, z, logW, f, path, alive,
    p: model.grid.map((point) => Math.exp(logDensity(target, point))),
    qCurve: model.grid.map((point) => Math.exp(logDensity(q, point))),
    w: alive ? normalize(logW) : new Float64Array(K),
    ess: alive ? ess(logW) : 0,
    largest: alive ? maxWeight(logW) : 0,
    mean: Math.exp(logMeanExp(logW)),
    estimate: path.values[K - 1],
    error: path.errors[K - 1],
    top: heaviest(logW, N_TOP),
  };
}

function heaviest(logW, count) {
  const best = [];
  for (let k = 0; k < logW.length; k++) {
    if (best.length === count && logW[k] <= logW[best[count - 1]]) continue;
    let place = best.length;
    while (place > 0 && logW[best[place - 1]] < logW[k]) place--;
    best.splice(place, 0, k);
    best.length = Math.min(best.length, count);
  }
  return best.filter((k) => logW[k] > -Infinity);
}

const narrow = (width) => width < 620;

function height(width) {
  return narrow(width) ? 800 : 640;
}

function layout({ width, height: tall }, state, numbers, model) {
  const highest = Math.max(...numbers.p);
  const top = Math.min(Math.max(highest, ...numbers.qCurve) * HEADROOM, 4 * highest);
  const split = narrow(width);
  const upper = { left: 0, top: 0, width, height: split ? 260 : 300 };
  const stems = { left: 0, top: upper.height, width, height: split ? 110 : 120 };
  const below = stems.top + stems.height + 12;
  const rest = tall - below;
  const half = split ? width : width / 2;
  const path = { left: 0, top: below, width: half - (split ? 0 : 8), height: split ? rest / 2 : rest };
  const bins = split
    ? { left: 0, top: below + rest / 2, width, height: rest / 2 }
    : { left: half + 8, top: below, width: half - 8, height: rest };
  return { upper, stems, path, bins, top, window: WINDOW, main: frame(upper, top) };
}

// Where z and density stand in the main panel; handles need it as well as the drawing.
function frame(box, top) {
  const [left, right, high, low] = [12, box.width - 12, box.top + 10, box.top + box.height - 4];
  return {
    toX: (z) => left + ((z - WINDOW[0]) / (WINDOW[1] - WINDOW[0])) * (right - left),
    toZ: (x) => WINDOW[0] + ((x - left) / (right - left)) * (WINDOW[1] - WINDOW[0]),
    toY: (density) => low - (Math.min(density, top) / top) * (low - high),
    left, right, high, low,
  };
}

const KNOWN_LOW = { loc: -6, scale: 0.2 };
const KNOWN_HIGH = { loc: 6, scale: 4 };
const STEP = { loc: 0.05, scale: 0.02 };

function clamp(name, value) {
  const rounded = Math.round(value / 0.01) * 0.01;
  return +Math.max(KNOWN_LOW[name], Math.min(KNOWN_HIGH[name], rounded)).toFixed(2);
}

function handles({ state, numbers, model, view }) {
  const { main } = view;
  const height = (z) => main.toY(Math.exp(logDensity(numbers.q, z)));
  const held = (x) => Math.max(22, Math.min(view.upper.width - 22, x));
  const place = (z) => ({ x: held(main.toX(z)), y: height(z) });
  const { loc, scale } = state;
  const number = (value) => readable(value, 1);
  const width = { value: scale, low: KNOWN_LOW.scale, high: KNOWN_HIGH.scale, text: number(scale) };
  const found = [
    { name: "peak", label: "Mean of q", ...place(loc), value: loc, low: -6, high: 6, text: number(loc) },
    { name: "left", label: "Scale of q, left shoulder", ...place(loc - scale), ...width, shape: "wide" },
    { name: "right", label: "Scale of q, right shoulder", ...place(loc + scale), ...width, shape: "wide" },
  ];
  if (TAILED.has(state.family)) {
    const text = state.family === "normal" ? "no limit: a normal density" : `${number(state.df)} degrees of freedom`;
    found.push({
      name: "tail", label: "Tail of q, degrees of freedom", ...place(loc + TAIL_AT * scale),
      value: rungOf(state, model), low: 0, high: model.df_stops.length, text, shape: "tall",
    });
  }
  return found;
}

// Rungs of the tail handle: the degrees of freedom, heavy to light; beyond them the normal density.
const rungOf = (state, model) =>
  state.family === "normal" ? model.df_stops.length : stopOf(state.df, model);

function onRung(state, model, rung) {
  const { df_stops: stops } = model;
  if (rung >= stops.length) return { ...state, family: "normal" };
  return { ...state, family: "student_t", df: stops[Math.max(0, rung)] };
}

function drag(name, point, { state, model, view }) {
  const z = view.main.toZ(point.x);
  if (name === "peak") return { ...state, loc: clamp("loc", z) };
  if (name === "tail") {
    const now = view.main.toY(Math.exp(logDensity(proposal(state, model), state.loc + TAIL_AT * state.scale)));
    const rungs = Math.trunc((point.y - now) / STOP_PX);
    return rungs ? onRung(state, model, rungOf(state, model) + rungs) : state;
  }
  const side = name === "left" ? -1 : 1;
  return { ...state, scale: clamp("scale", side * (z - state.loc)) };
}

function nudge(name, steps, { state, model }) {
  if (name === "peak") return { ...state, loc: clamp("loc", state.loc + steps * STEP.loc) };
  if (name === "tail") return onRung(state, model, rungOf(state, model) + Math.sign(steps));
  return { ...state, scale: clamp("scale", state.scale + steps * STEP.scale) };
}

function formula({ state, numbers, model }) {
  const plain = model.average === "importance";
  const sum = "<span class='sum'>Σ</span><sub>k</sub>";
  const w = "w<sub>k</sub>";
  const head = [{ symbol: "μ̂", value: digits(numbers.estimate), term: "path", role: "weights" }, { symbol: "=" }];
  const body = plain
    ? [{ symbol: "1 / K", value: `1 / ${model.K}` }, { symbol: sum }, { symbol: w, value: `mean ${digits(numbers.mean)}`, term: "weights", role: "weights" }]
    : [{ symbol: sum }, { symbol: `${w} / ${sum} ${w}`, value: `largest ${percent(numbers.largest)}`, term: "weights", role: "weights" }];
  return [
    ...head, ...body,
    { symbol: "f(z<sub>k</sub>)", value: model.f_title, term: "f" },
    { symbol: "," },
    { symbol: `${w} =` },
    { symbol: "p(z<sub>k</sub>)", value: model.target_title, term: "target", role: "target" },
    { symbol: "/" },
    { symbol: "q(z<sub>k</sub>)", value: model.family_titles[state.family], term: "proposal", role: "proposal" },
  ];
}

function cards({ state, numbers, model, fresh }) {
  const report = fresh ? model.report : null;
  const known = fresh || !isDrawn(state, model); // what is being drawn has no exact answer yet
  const exact = known ? model.exact_text : "…";
  const off = known ? digits(numbers.estimate - model.exact) : "…";
  return [
    { label: "Estimate", value: digits(numbers.estimate), note: `exact ${exact}` },
    {
      label: "Error", value: off, note: `reported ± ${digits(numbers.error)}`,
      help: "Below: the standard error that the draws themselves report.",
    },
    {
      label: "ESS", value: digits(numbers.ess), note: report ? report.expected : `of ${model.K}`,
      help: "Effective sample size. Expected for many draws: K / E_q[w²], from the exact moment.",
    },
    { label: "Heaviest draw", value: percent(numbers.largest), note: `equal share ${percent(1 / model.K)}` },
    {
      label: "k-hat", value: report ? report.k_hat : "…", note: report ? report.verdict : "on release", exact: true,
      help: model.k_hat_help,
    },
    {
      label: "True ± of this q", value: report ? report.true_error : "…",
      note: `sampling p itself: ${model.target_error}`, exact: true,
      help: "Exact standard error at this K, whatever the draws say about themselves.",
    },
  ];
}

function says({ numbers, model }) {
  return `Estimate ${digits(numbers.estimate)}, exact ${model.exact_text}. Effective sample size ${digits(numbers.ess)} of ${model.K}. k-hat ${model.report.k_hat}.`;
}

function table({ numbers }) {
  const rows = Array.from(numbers.z, (z, k) => [k + 1, z, numbers.logW[k], numbers.w[k], numbers.f[k]]);
  return [["draw", "z", "log_w", "share", "f"], ...rows];
}

export default { decode, compute, height, layout, draw, handles, drag, nudge, paint, paintKey, paints, formula, cards, says, table };
