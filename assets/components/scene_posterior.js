// The posterior really used: q, round, over the exact posterior p; what K samples and their weights
// make of it, q_K; and KL(q_K || p) against K. One plane, or two side by side.

import { tenTo } from "./better.js";
import { contour, levels } from "./contours.js";
import { digits } from "./numbers.js";
import { axes, line, note, segment, spot, ticks } from "./plot.js";
import { drawPlane, SHARES, SIGMAS } from "./posterior_plane.js";
import { klAt, law, logShare, shareTable, thinned, weightsFromGrid } from "./used.js";
import { logNormal } from "./weights.js";

const MAX_SAMPLES = 1000;
const STEP = 0.05;
const BESIDE = 26; // px from the rim of q to a handle, so that no handle hides another
const FLOOR = 1e-7; // nats: what the curve shows least

function decode(meta, arrays, before) {
  const probability = arrays.probability.values;
  const panels = meta.panels.map((panel, i) => {
    const [p, n] = [arrays[`p${i}`].values, arrays[`p${i}`].shape[0]];
    const logW = arrays[`log_w${i}`].values;
    const last = before?.panels[i];
    const sameP = alike(last?.p, p) && last.log_marginal === panel.log_marginal;
    const joint = sameP ? last.joint : p.map((value) => value + panel.log_marginal);
    // With another K alone, p and the weights are what they were.
    const sameLaw = alike(last?.law.logW, logW) && alike(last.law.probability, probability);
    const known = sameLaw ? last.law : law(logW, probability);
    const exact = arrays[`kl${i}`].values; // sent where weights lie too far apart for `law`
    const own = () => (sameLaw && sameP ? last.curve : curveOf(known, panel.log_marginal, meta.curve_K));
    return {
      ...panel, n, p, joint,
      table: { values: joint, n, low: panel.low, high: panel.high },
      used: arrays[`used${i}`].values,
      dots: arrays[`dots${i}`].values,
      image: arrays[`image${i}`] ?? null,
      law: known,
      curve: exact.length > 0 ? meta.curve_K.map((K, k) => [K, exact[k]]) : own(),
      lines: sameP ? last.lines : outline(p, n),
    };
  });
  return { ...meta, panels, coarse: arrays.eps && thinned(arrays.eps.values, probability, meta.step) };
}

const alike = (one, other) => one?.length === other.length && one.every((value, i) => value === other[i]);
const curveOf = (of, logMarginal, at) => at.map((K) => [K, klAt(of, K, logMarginal)]);
const outline = (values, n) => levels(values, SHARES).map((level) => contour(values, n, n, level));

// q of a panel: under the hand, or the one that was trained for this K, or an encoder's.
function qOf(panel, state, model) {
  if (model.part === "drag") return { loc: [state.x, state.y], scale: [state.scale, state.scale] };
  const [x, y, scale] = (panel.name === "iwae" && model.best?.[state.trained_K]) || [];
  return x === undefined ? panel.q : { loc: [x, y], scale: [scale, scale] };
}

const sameQ = (one, other) =>
  [0, 1].every((i) => one.loc[i] === other.loc[i] && one.scale[i] === other.scale[i]);

const samplesOf = (state, { samples }) => Number(state[samples]); // the field that holds K here

function compute(state, model) {
  const K = Math.round(samplesOf(state, model));
  return { K, panels: model.panels.map((panel) => one(panel, qOf(panel, state, model), K, model)) };
}

function one(panel, q, K, model) {
  const known = sameQ(q, panel.q); // then the weights are exact, whatever K
  const fresh = known && K === model.K;
  const of = known ? panel.law : law(weightsFromGrid(panel.table, q, model.coarse.eps), model.coarse.probability);
  const { kl_q, kl_used } = panel.report;
  return {
    q, known, fresh,
    exact: fresh || (known && of.whole), // what is said of q_K
    klQ: fresh ? kl_q : klAt(of, 1, panel.log_marginal),
    klUsed: fresh ? kl_used : klAt(of, K, panel.log_marginal),
    curve: known ? panel.curve : curveOf(of, panel.log_marginal, model.curve_K.filter((_, k) => k % 2 === 0)),
    lines: outline(fresh ? panel.used : usedOnGrid(panel, q, shareTable(of, K)), panel.n),
  };
}

function usedOnGrid({ joint, n, low, high }, q, table) {
  const at = (axis, i) => low[axis] + ((i + 0.5) / n) * (high[axis] - low[axis]);
  const part = (axis) => Float64Array.from({ length: n }, (_, i) => logNormal(at(axis, i), q.loc[axis], q.scale[axis]));
  const [first, second] = [part(0), part(1)];
  const found = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      const logQ = first[i] + second[j];
      found[i * n + j] = logQ + logShare(table, joint[i * n + j] - logQ);
    }
  }
  return found;
}

const narrow = (width) => width < 560;
const PLANE = 340;
const CURVE_HEIGHT = 250;

function height(width, model) {
  const planes = model?.panels.length ?? 1;
  if (narrow(width)) return planes * PLANE + CURVE_HEIGHT + 10;
  return planes === 1 ? 400 : PLANE + 20 + CURVE_HEIGHT;
}

function layout({ pen, width, height: tall }, state, numbers, model) {
  const alone = model.panels.length === 1;
  const split = narrow(width);
  const wide = split ? width : alone ? Math.round(0.58 * width) : width / 2;
  const high = split || !alone ? PLANE : tall;
  const boxes = model.panels.map((panel, i) =>
    split ? { left: 0, top: i * PLANE, width, height: high } : { left: i * wide, top: 0, width: wide - 8, height: high });
  const planes = model.panels.map((panel, i) => plane(boxes[i], panel));
  const below = { pen, left: 0, top: tall - CURVE_HEIGHT, width: width - 6, height: CURVE_HEIGHT };
  const beside = { pen, left: wide + 8, top: 0, width: width - wide - 14, height: tall };
  return { planes, curve: split || !alone ? below : beside, scale: null };
}

// Where z stands: as many px for a unit of z_1 as of z_2, so that a round q is round.
function plane(box, { low, high }) {
  const [left, right] = [box.left + 34, box.left + box.width - 4];
  const [top, bottom] = [box.top + 50, box.top + box.height - 24];
  const unit = Math.min((right - left) / (high[0] - low[0]), (bottom - top) / (high[1] - low[1]));
  const [x0, y0] = [(left + right - unit * (low[0] + high[0])) / 2, (top + bottom + unit * (low[1] + high[1])) / 2];
  return {
    box, left, right, top, bottom, unit,
    toX: (z) => x0 + unit * z, toY: (z) => y0 - unit * z,
    toZ: ({ x, y }) => [(x - x0) / unit, (y0 - y) / unit],
  };
}

function draw(pen, { view, numbers, model, tones, mark }) {
  const on = (term) => (mark === null || mark === term ? 1 : 0.2);
  model.panels.forEach((panel, i) => drawPlane(pen, view.planes[i], panel, numbers.panels[i], model, tones, on));
  drawCurve(pen, view, numbers, model, tones, on);
}

const log = (value) => Math.log10(Math.max(value, FLOOR));

// What a prediction still waits for: "q" or "used".
const waits = ({ withheld }, term) => withheld.includes(term);

function drawCurve(pen, view, { K, panels }, model, tones, on) {
  const covered = waits(model, "used"); // then the axis tells no more than K
  const seen = covered ? [-1, 0] : panels.flatMap(({ curve }) => curve.map(([, kl]) => log(kl)));
  const y = [Math.floor(Math.min(...seen) - 0.1), Math.max(...seen) + 0.25];
  const names = view.curve.width < 420 ? [1, 10, 100, 1000] : [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];
  const scale = axes(view.curve, {
    x: [0, 3], y, tones, handled: true, title: view.curve.width < 330 ? "KL from the exact p, nats" : "KL from the exact posterior, nats", xLabel: "K (log scale)",
    xTicks: names.map((k) => [Math.log10(k), String(k)]),
    yTicks: covered ? [] : ticks(...y, 8).filter(Number.isInteger).map((power) => [power, tenTo(power)]),
  });
  view.scale = scale;
  const { toX, toY, box } = scale;
  pen.save();
  pen.strokeStyle = tones.muted;
  pen.setLineDash([2, 4]);
  segment(pen, toX(Math.log10(K)), box.top, toX(Math.log10(K)), box.bottom);
  pen.restore();
  if (covered) {
    note(pen, "Predict first, above:", box.left + 8, box.top + 24, { color: tones.text, bold: true, halo: tones.background });
    note(pen, "the curves come with your answer.", box.left + 8, box.top + 44, { color: tones.text, halo: tones.background });
    return;
  }
  panels.forEach(({ curve, klQ, klUsed: kl }, i) => {
    const dash = model.panels[i].name === "elbo" ? [7, 5] : [];
    // What is smaller than the error of the rule is drawn faintly.
    const points = curve.map(([k, value]) => [Math.log10(k), log(value)]);
    const above = curve.filter(([, value]) => value > model.panels[i].report.kl_used_error).length;
    const style = { color: tones.weights, width: 2.5, dash };
    line(pen, scale, points.slice(0, above), { ...style, alpha: on("used") });
    line(pen, scale, points.slice(Math.max(0, above - 1)), { ...style, width: 1.5, alpha: 0.4 * on("used") });
    pen.globalAlpha = on("q");
    spot(pen, toX(0), toY(log(klQ)), { color: tones.proposal, radius: 5, hollow: dash.length > 0 });
    pen.globalAlpha = on("used");
    spot(pen, toX(Math.log10(K)), toY(log(kl)), { color: tones.weights, radius: 5, hollow: dash.length > 0 });
    pen.globalAlpha = 1;
  });
  const told = model.panels.length > 1
    ? `q_K: dashed ${model.panels[0].short}, solid ${model.panels[1].short}`
    : "q_K, the posterior used";
  note(pen, told, box.left + 8, box.bottom - 26, { color: tones.weights, bold: true, halo: tones.background });
  note(pen, "● q itself (K = 1)", box.left + 8, box.bottom - 8, { color: tones.proposal, halo: tones.background });
}

function handles({ state, numbers, model, view }) {
  const { toX, toY, box } = view.scale;
  const last = numbers.panels.at(-1);
  const covered = waits(model, "used");
  const found = [{
    name: "K", label: model.part === "trained" ? "K of the training" : "K, samples", tone: "weights",
    x: toX(Math.log10(numbers.K)), y: covered ? (box.top + box.bottom) / 2 : Math.max(box.top, Math.min(box.bottom, toY(log(last.klUsed)))),
    value: numbers.K, low: 1, high: MAX_SAMPLES, text: covered ? `K = ${numbers.K}` : `K = ${numbers.K}, KL ${digits(last.klUsed)} nats`,
  }];
  if (model.part !== "drag") return found;
  const { x, y, scale } = state;
  const at = view.planes[0];
  const inside = (px, [low, high]) => Math.max(low + 14, Math.min(high - 14, px));
  const rim = SIGMAS[0] * scale * at.unit + BESIDE;
  const place = (right, up) => ({
    x: inside(at.toX(x) + right, [at.left, at.right]), y: inside(at.toY(y) - up, [at.top, at.bottom]),
  });
  const limits = { low: -6, high: 6 };
  return [
    { name: "center", label: "Center of q", ...place(0, 0), value: x, ...limits, text: `${digits(x)} and ${digits(y)}` },
    {
      name: "lift", label: "Center of q, up and down", ...place(0, rim), value: y, ...limits,
      text: digits(y), shape: "tall",
    },
    {
      name: "scale", label: "Scale of q", ...place(rim, 0), value: scale, low: 0.1,
      high: model.max_scale, text: digits(scale), shape: "wide",
    },
    ...found,
  ];
}

const held = (value, low, high) => +Math.max(low, Math.min(high, Math.round(value / 0.01) * 0.01)).toFixed(2);
const moved = (state, z1, z2) => ({ ...state, x: held(z1, -6, 6), y: held(z2, -6, 6) });

function withSamples(state, K, model) {
  const kept = Math.max(1, Math.min(MAX_SAMPLES, Math.round(K)));
  if (model.part !== "trained") return { ...state, [model.samples]: kept };
  const far = (stop) => Math.abs(Math.log(stop / Math.max(K, 1)));
  return { ...state, trained_K: model.stops.reduce((best, stop) => (far(stop) < far(best) ? stop : best)) };
}

function drag(name, point, { state, model, view }) {
  if (name === "K") {
    const { box } = view.scale;
    return withSamples(state, 10 ** ((3 * (point.x - box.left)) / (box.right - box.left)), model);
  }
  const { toX, toZ, unit } = view.planes[0];
  const [z1, z2] = toZ(point);
  if (name === "center") return moved(state, z1, z2);
  if (name === "lift") return moved(state, state.x, z2 - SIGMAS[0] * state.scale - BESIDE / unit);
  return { ...state, scale: held((point.x - toX(state.x) - BESIDE) / unit / SIGMAS[0], 0.1, model.max_scale) };
}

function nudge(name, steps, { state, model }) {
  if (name === "K") {
    if (model.part === "trained") {
      const at = model.stops.indexOf(Number(state.trained_K)) + Math.sign(steps);
      return { ...state, trained_K: model.stops[Math.max(0, Math.min(model.stops.length - 1, at))] };
    }
    const next = samplesOf(state, model) * 1.12 ** steps;
    return withSamples(state, steps > 0 ? Math.ceil(next) : Math.floor(next), model);
  }
  if (name === "center") return moved(state, state.x + steps * STEP, state.y);
  if (name === "lift") return moved(state, state.x, state.y + steps * STEP);
  return { ...state, scale: held(state.scale + steps * STEP, 0.1, model.max_scale) };
}

function formula({ numbers, model, fresh }) {
  const [panel, found] = [model.panels.at(-1), numbers.panels.at(-1)];
  const told = (term, value) => (waits(model, term) ? "?" : value);
  return [
    { symbol: `L<sub>${numbers.K}</sub>`, value: told("used", fresh ? digits(panel.report.bound) : "…"), role: "bound" },
    { symbol: "≤" },
    { symbol: "log p(x)", value: digits(panel.log_marginal), term: "p", role: "target" },
    { symbol: "−" },
    { symbol: `KL(q<sub>${numbers.K}</sub> ‖ p)`, value: told("used", said(found.exact, found.klUsed)), term: "used", role: "weights" },
    { symbol: "," },
    { symbol: "KL(q ‖ p)", value: told("q", said(found.known, found.klQ)), term: "q", role: "proposal" },
  ];
}

const said = (exact, value) => (exact ? digits(value) : `≈ ${digits(value)}`);

function cards({ numbers, model, fresh }) {
  const { K } = numbers;
  const rows = model.panels.map((panel, i) => {
    const [found, { report }] = [numbers.panels[i], panel];
    const before = model.panels.length > 1 ? `${panel.short}: ` : "";
    const error = (value, exact) => (found.fresh ? `nats, ± ${digits(value, 1)}` : exact ? "nats" : "preview, exact on release");
    const told = (term, card) => (waits(model, term) ? { label: card.label, value: "?", note: "predict first, above" } : card);
    return [
      told("q", {
        label: `${before}KL(q‖p)`, value: said(found.known, found.klQ), note: error(report.kl_q_error, found.known), exact: !found.known,
        help: "By quadrature; ± is how far a coarser rule that reaches farther lies off: what this one errs by, or more.",
      }),
      told("used", {
        label: `${before}KL(q_K‖p)`, value: said(found.exact, found.klUsed), note: error(report.kl_used_error, found.exact), exact: !found.exact,
        help: "Of the posterior that K samples use, by quadrature.",
      }),
      told("used", {
        label: `${before}L_K`, value: fresh ? digits(report.bound) : "…", exact: true,
        note: `log p(x) ${digits(panel.log_marginal)}`, help: "The exact bound in nats.",
      }),
      {
        label: `${before}Draws that count`, value: fresh ? digits(report.effective) : "…", note: `of ${K}`, exact: true,
        help: "One over the expected sum of the squared normalized weights.",
      },
    ];
  });
  return rows.length === 1 ? rows[0] : rows.flatMap((row) => row.slice(0, 3));
}

function says({ numbers, model }) {
  const told = (term, text) => (waits(model, term) ? [] : [text]);
  const of = (panel, { klQ, klUsed }) => [...told("q", `of q ${digits(klQ)}`), ...told("used", `of the posterior used ${digits(klUsed)}`)];
  const each = model.panels.map((panel, i) => [panel.short ?? "q", of(panel, numbers.panels[i]).join(", ")]);
  return [`K = ${numbers.K}.`, ...each.filter(([, kl]) => kl).map(([name, kl]) => `${name}: KL ${kl} nats.`)].join(" ");
}

function table({ numbers, model }) {
  if (waits(model, "used")) return [["K"], ...model.curve_K.map((K) => [K])];
  const names = model.panels.map((panel) => `kl_used_${panel.name}`);
  const [first] = numbers.panels;
  return [["K", ...names], ...first.curve.map(([K], i) => [K, ...numbers.panels.map(({ curve }) => curve[i]?.[1] ?? "")])];
}

export default { decode, compute, height, layout, draw, handles, drag, nudge, formula, cards, says, table };
