// One lucky particle: the running mean with its jumps. A jump is picked, its draw is seen among the
// others, and left out; everything is worked out again from the draws that stay.

import { digits, fixed, percent } from "./numbers.js";
import * as pair from "./pair.js";
import { axes, extent, line, note, readable, segment, spot } from "./plot.js";
import { kHat } from "./tails.js";
import { ess, integrand, logDensity, maxWeight, normalize, running } from "./weights.js";

const WINDOW = [-5, 8]; // of z
const N_BUTTONS = 4;
const REACH_PX = 9; // a click picks the largest jump this near
const TOO_MANY = 40; // draws left out at once

export default { decode, compute, height, layout, draw, handles, drag, nudge, click, formula, cards, buttons, press, says, table };

function decode(meta, arrays) {
  const grid = pair.gridOf(WINDOW);
  return { ...meta, eps: arrays.eps.values, grid, p: pair.heights(meta.target, grid) };
}

const shape = ({ q }) => ({ loc: 0, scale: q });

// Draws are written as <seed>.<draw>.<draw>, counted from one: they belong to one run.
function drawsOf(text, { seed, eps }) {
  const [run, ...draws] = String(text).split(".").map(Number);
  if (text === "" || run !== seed) return [];
  return draws.filter((n) => n >= 1 && n <= eps.length).map((n) => n - 1);
}

const written = (draws, { seed }) => (draws.length ? [seed, ...draws.map((k) => k + 1)].join(".") : "");

function health(f, logW) {
  const { values, errors } = running(f, logW, true);
  const n = f.length;
  const [estimate, error] = [values[n - 1], errors[n - 1]];
  return { n, values, estimate, error, ess: ess(logW), kHat: kHat(logW), largest: maxWeight(logW) };
}

function compute(state, model) {
  const q = pair.normal(shape(state));
  const K = model.eps.length;
  const z = model.eps.map((x) => state.q * x);
  const logW = z.map((each) => logDensity(model.target, each) - logDensity(q, each));
  const f = z.map((each) => integrand(model.f, each));
  const out = new Set(drawsOf(state.out, model));
  const kept = Array.from(z.keys()).filter((k) => !out.has(k));
  const full = health(f, logW);
  const rest = out.size ? health(Float64Array.from(kept, (k) => f[k]), Float64Array.from(kept, (k) => logW[k])) : full;
  const jump = (k) => full.values[k] - full.values[k - 1];
  const ranked = Array.from({ length: K - model.first }, (_, i) => model.first + i);
  ranked.sort((one, other) => Math.abs(jump(other)) - Math.abs(jump(one)) || one - other);
  const pick = drawsOf(state.pick, model)[0] ?? ranked[0];
  return { z, logW, f, w: normalize(logW), out, kept, full, rest, ranked, pick, jump, qCurve: pair.heights(q, model.grid) };
}

function height(width) {
  return pair.narrow(width) ? 600 : 620;
}

function layout({ width, height: tall }, state, numbers, model) {
  const upper = { left: 0, top: 0, width, height: 200 };
  const stems = { top: 232, bottom: 300 };
  const path = { left: 0, top: 332, width, height: tall - 334 };
  const { full, rest } = numbers;
  const late = [full.values, rest.values].flatMap((values) => Array.from(values.subarray(Math.min(12, values.length - 1))));
  return {
    upper, stems, path,
    main: pair.frame(upper, WINDOW, model.p, numbers.qCurve),
    range: extent([...late, model.exact, 0], 0.08),
    at: null, // the scale of the path, known once it is drawn
  };
}

function draw(pen, { view, numbers, model, tones, mark, fresh }) {
  const on = (term) => (mark === null || mark === term ? 1 : 0.25);
  if (fresh) drawRegions(pen, view, model, tones);
  pair.drawPair(pen, view.main, model.grid, model.p, numbers.qCurve, { tones, on });
  drawDraws(pen, view, numbers, tones, on("weights"));
  drawPath(pen, view, numbers, model, tones, fresh, on("path"));
}

// Where a draw of this q would be lucky; an end that is null lies at infinity.
function drawRegions(pen, { main, stems }, { regions, chance }, tones) {
  const places = regions
    .map(([low, high]) => [Math.max(low ?? WINDOW[0], WINDOW[0]), Math.min(high ?? WINDOW[1], WINDOW[1])])
    .filter(([low, high]) => low < high);
  for (const [low, high] of places) {
    pen.save();
    pen.globalAlpha = 0.12;
    pen.fillStyle = tones.weights;
    pen.fillRect(main.toX(low), main.high, main.toX(high) - main.toX(low), stems.bottom - main.high);
    pen.restore();
  }
  if (!places.length) return;
  const right = main.toX(places.at(-1)[1]) - 4; // said once: the chance is that of all of them
  note(pen, "lucky draws", right, main.high + 14, { color: tones.weights, align: "right", bold: true });
  note(pen, `met by ${chance} of runs`, right, main.high + 32, { color: tones.muted, align: "right" });
}

function drawDraws(pen, { main, stems }, numbers, tones, alpha) {
  const { z, w, out, pick } = numbers;
  const { toY, tallest } = pair.drawStems(pen, main, stems, z, w, tones, { alpha, skip: (k) => out.has(k) });
  pair.drawLine(pen, main, stems.bottom, tones);
  note(pen, "the weights", main.left + 4, stems.top - 8, { color: tones.weights, bold: true });
  note(pen, `tallest: ${percent(tallest)}`, main.left + 4, stems.top + 10, { color: tones.muted });
  for (const k of out) {
    const x = main.toX(z[k]);
    pen.save();
    pen.strokeStyle = tones.muted;
    pen.setLineDash([2, 3]);
    segment(pen, x, stems.bottom, x, toY(w[k]));
    pen.restore();
    spot(pen, x, toY(w[k]), { color: tones.muted, hollow: true });
  }
  const x = Math.max(main.left, Math.min(main.right, main.toX(z[pick])));
  const y = toY(w[pick]);
  spot(pen, x, y, { color: tones.text, radius: 6.5, hollow: true });
  const label = `draw ${pick + 1}, z = ${readable(z[pick])}`;
  const toLeft = x > (main.left + main.right) / 2;
  note(pen, label, x + (toLeft ? -12 : 12), y + 4, { color: tones.text, align: toLeft ? "right" : "left", bold: true });
}

function drawPath(pen, view, numbers, model, tones, fresh, alpha) {
  const { full, rest, out, kept, pick } = numbers;
  const K = full.n;
  const title = out.size ? `The running estimate, ${out.size} draw${out.size > 1 ? "s" : ""} left out` : "The running estimate";
  const scale = axes({ pen, ...view.path }, { x: [1, 1.03 * K], y: view.range, xLabel: "draws used", title, tones });
  view.at = scale;
  const { left, right, top, bottom } = scale.box;
  pen.save();
  pen.beginPath();
  pen.rect(left, top, right - left, bottom - top);
  pen.clip();
  const across = (y, style) => line(pen, scale, [[1, y], [K, y]], style);
  if (fresh && model.common !== null) across(model.common, { color: tones.muted, width: 1.3, dash: [2, 4] });
  across(model.exact, { color: tones.exact, width: 1.6, dash: [8, 4] });
  const points = (values, place) => Array.from(values, (value, i) => [place(i), value]);
  const whole = { color: out.size ? tones.muted : tones.weights, width: out.size ? 1 : 2, alpha };
  line(pen, scale, points(full.values, (i) => i + 1), whole);
  if (out.size) line(pen, scale, points(rest.values, (i) => kept[i] + 1), { color: tones.weights, width: 2, alpha });
  pen.restore();
  note(pen, `exact ${readable(model.exact, 1)}`, left + 6, scale.toY(model.exact) - 6, { color: tones.text, halo: tones.background });
  if (fresh && model.common !== null) {
    // Between the two lines where that is wide, else above both: the calm path lies on the lower one.
    const [truth, calm] = [scale.toY(model.exact), scale.toY(model.common)];
    const y = calm - truth > 64 ? (calm + truth) / 2 + 4 : Math.min(truth, calm) - 24;
    note(pen, `dotted: mean of runs without luck, ${readable(model.common, 1)}`, left + 6, y, { color: tones.muted, halo: tones.background });
  }
  pen.save();
  pen.strokeStyle = tones.text;
  pen.lineWidth = 1;
  pen.setLineDash([3, 3]);
  segment(pen, scale.toX(pick + 1), top, scale.toX(pick + 1), bottom);
  pen.restore();
}

const inside = (y, [low, high]) => Math.max(low, Math.min(high, y));

// The path's maps before it was ever drawn: handles are placed after drawing, so they exist.
function handles({ state, numbers, model, view }) {
  const { toX, toY } = view.at;
  const { pick, full } = numbers;
  const picked = {
    name: "pick", label: "Picked draw", tone: "weights", value: pick + 1, low: 1, high: full.n,
    x: inside(toX(pick + 1), [22, view.path.width - 22]), y: toY(inside(full.values[pick], view.range)),
    text: `draw ${pick + 1}, z ${readable(numbers.z[pick])}, jump ${digits(pick ? numbers.jump(pick) : full.values[0])}`,
  };
  return [...pair.handles(shape(state), view.main, { scale: model.limits.scale }, view.upper.width), picked];
}

function nearest(x, { numbers, model, view }) {
  const { toX } = view.at;
  const { ranked } = numbers;
  const close = ranked.find((k) => Math.abs(toX(k + 1) - x) <= REACH_PX);
  return close ?? model.first;
}

const picked = (state, k, model) => ({ ...state, pick: written([k], model) });

function drag(name, point, context) {
  const { state, model, view } = context;
  if (name === "pick") return picked(state, nearest(point.x, context), model);
  const { scale } = pair.drag(name, point, shape(state), view.main, model.limits);
  return { ...state, q: scale };
}

function nudge(name, steps, { state, numbers, model }) {
  if (name === "pick") return picked(state, inside(numbers.pick + steps, [0, model.eps.length - 1]), model);
  return { ...state, q: pair.nudge(name, steps, shape(state), model.limits).scale };
}

function click(point, context) {
  const { state, numbers, model, view } = context;
  if (point.y >= view.path.top) return picked(state, nearest(point.x, context), model);
  if (point.y < view.main.low) return null;
  let best = -1;
  numbers.z.forEach((z, k) => {
    const near = Math.abs(view.main.toX(z) - point.x) <= REACH_PX;
    if (near && (best < 0 || numbers.w[k] > numbers.w[best])) best = k;
  });
  return best < 0 ? null : picked(state, best, model);
}

function buttons({ numbers }) {
  const { ranked, pick, out } = numbers;
  const jumps = ranked.slice(0, N_BUTTONS).map((k, i) => ({ name: `jump ${i}`, label: `Jump ${i + 1}: draw ${k + 1}`, pressed: k === pick }));
  const label = out.has(pick) ? `Bring draw ${pick + 1} back` : `Leave draw ${pick + 1} out`;
  const all = out.size ? [{ name: "all", label: "Bring all back" }] : [];
  return [...jumps, { name: "toggle", label }, ...all];
}

function press(name, { state, numbers, model }) {
  const { ranked, pick, out } = numbers;
  if (name === "all") return { ...state, out: "" };
  if (name !== "toggle") return picked(state, ranked[Number(name.split(" ")[1])], model);
  const left = out.has(pick) ? [...out].filter((k) => k !== pick) : [...out, pick];
  if (left.length > Math.min(TOO_MANY, model.eps.length - 2)) return state;
  return { ...picked(state, pick, model), out: written(left, model) };
}

function formula({ numbers, model }) {
  const { pick, full, logW, f, z } = numbers;
  const before = pick ? full.values[pick - 1] : 0;
  return [
    { symbol: `jump<sub>n</sub>`, value: digits(full.values[pick] - before), term: "path", role: "weights" },
    { symbol: "= (" },
    { symbol: "w<sub>n</sub>", value: digits(Math.exp(logW[pick])), term: "weights", role: "weights" },
    { symbol: "f(z<sub>n</sub>)", value: `${model.f_title} = ${digits(f[pick])}` },
    { symbol: "−" },
    { symbol: "μ̂<sub>n−1</sub>", value: digits(before), term: "path", role: "weights" },
    { symbol: ") /" },
    { symbol: "n", value: String(pick + 1) },
    { symbol: "," },
    { symbol: "w = p / q", value: `at z = ${digits(z[pick])}`, term: "weights" },
  ];
}

function verdict(kHat, { flags, verdicts }) {
  if (kHat === Infinity) return verdicts.none;
  if (kHat > flags.trust) return verdicts.trust;
  return kHat > flags.variance ? verdicts.variance : verdicts.calm;
}

function cards({ numbers, model }) {
  const { full, rest, out } = numbers;
  const off = ({ estimate, error }) => digits(Math.abs(estimate - model.exact) / error, 2);
  const was = (value, otherwise) => (out.size ? `with all draws: ${value}` : otherwise);
  return [
    { label: "Estimate", value: digits(rest.estimate), note: was(digits(full.estimate), `exact ${digits(model.exact)}`) },
    { label: "Reported error", value: `± ${digits(rest.error)}`, note: was(digits(full.error), "as the draws say") },
    {
      label: "Distance to truth", value: `${off(rest)} errors`, note: was(off(full), "of the reported size"),
      help: "Distance from the estimate to the exact answer, in reported standard errors. Beyond 2 is a miss.",
    },
    { label: "ESS", value: digits(rest.ess), note: was(digits(full.ess), `of ${rest.n}`) },
    { label: "k-hat", value: fixed(rest.kHat), note: was(fixed(full.kHat), verdict(rest.kHat, model)) },
    { label: "Heaviest draw", value: percent(rest.largest), note: was(percent(full.largest), `equal share ${percent(1 / rest.n)}`) },
  ];
}

function says({ numbers }) {
  const { rest, out, pick } = numbers;
  return `Draw ${pick + 1} picked, ${out.size} left out. Estimate ${digits(rest.estimate)}, reported error ${digits(rest.error)}, effective sample size ${digits(rest.ess)} of ${rest.n}, k-hat ${fixed(rest.kHat)}.`;
}

function table({ numbers }) {
  const { z, logW, w, full, out } = numbers;
  const rows = Array.from(z, (each, k) => [k + 1, each, logW[k], w[k], full.values[k], out.has(k) ? 1 : 0]);
  return [["draw", "z", "log_w", "share", "running", "left_out"], ...rows];
}
