// How many samples? A flag is planted on a log axis of n; then the rule exp(KL(p||q)) and two
// hundred estimators are shown.

import { digits, percent } from "./numbers.js";
import * as pair from "./pair.js";
import { axes, band, line, note, readable, segment } from "./plot.js";

const WINDOW = [-7, 9]; // of z
const DECADES = 6; // of the axis of n
const SHOWN_RATIO = [0, 2.5]; // estimate / truth; its ticks are as wide as those of the share below
const POLE = 26; // px from the panel's top to the flag's handle

export default { decode, compute, height, layout, draw, handles, drag, nudge, formula, cards, buttons, press, says, table };

function decode(meta, arrays) {
  const grid = pair.gridOf(WINDOW);
  return { ...meta, arrays, grid, p: pair.heights(meta.target, grid) };
}

const shape = ({ mean, width }) => ({ loc: mean, scale: width });

function compute(state, model) {
  const { mean, width } = model.state;
  const asked = state.mean === mean && state.width === width; // the report is of this q
  return {
    qCurve: pair.heights(pair.normal(shape(state)), model.grid),
    asked,
    report: asked && model.report && state.shown === model.key ? model.report : null,
  };
}

function height(width) {
  return pair.narrow(width) ? 660 : 640;
}

function layout({ width }, state, numbers, model) {
  const upper = { left: 0, top: 0, width, height: 190 };
  return {
    upper,
    main: pair.frame(upper, WINDOW, model.p, numbers.qCurve),
    runs: { left: 0, top: 226, width, height: 270 },
    share: { left: 0, top: 504, width, height: pair.narrow(width) ? 150 : 132 },
    at: null, // the scale of the runs, known once they are drawn
  };
}

function draw(pen, { view, state, numbers, model, tones, mark }) {
  const on = (term) => (mark === null || mark === term ? 1 : 0.25);
  pair.drawPair(pen, view.main, model.grid, model.p, numbers.qCurve, { tones, on });
  pair.drawLine(pen, view.main, view.main.low, tones);
  drawRuns(pen, view, { state, numbers, model, tones, alpha: on("rule") });
  drawShare(pen, view.share, { state, numbers, model, tones });
}

const stops = () => ["1", "10", "100", "1000", "10k", "100k", "1M"].map((text, power) => [power, text]);

function clip(pen, { box }) {
  pen.beginPath();
  pen.rect(box.left, box.top, box.right - box.left, box.bottom - box.top);
  pen.clip();
}

function drawRuns(pen, view, { state, numbers, model, tones, alpha }) {
  const { report } = numbers;
  const scale = axes(
    { pen, ...view.runs },
    { x: [0, DECADES], y: SHOWN_RATIO, xLabel: "", title: `${model.n_ghosts} estimators, each over the truth`, tones, xTicks: stops() },
  );
  view.at = scale;
  const { left, right, top, bottom } = scale.box;
  const ends = (y) => [[0, y], [DECADES, y]];
  band(pen, scale, ends(1 - model.close), ends(1 + model.close), { color: tones.exact, alpha: 0.12 });
  if (report) drawAnswers(pen, scale, { report, model, tones, alpha });
  line(pen, scale, ends(1), { color: tones.exact, width: 1.6, dash: [8, 4] });
  const at = scale.toX(Math.log10(state.flag));
  pen.strokeStyle = tones.prior;
  pen.lineWidth = 3;
  segment(pen, at, top + POLE, at, bottom);
  if (!report) drawQuestion(pen, scale, tones);
  const toLeft = at > (left + right) / 2;
  const beside = { color: tones.text, bold: true, align: toLeft ? "right" : "left" };
  note(pen, `your flag: ${digits(state.flag)}`, at + (toLeft ? -14 : 14), top + POLE + 5, beside);
}

function drawQuestion(pen, { toY, box }, tones) {
  const middle = (box.left + box.right) / 2;
  pen.save();
  pen.fillStyle = tones.background;
  pen.globalAlpha = 0.85;
  pen.fillRect(middle - 140, toY(0.8), 280, toY(0.16) - toY(0.8));
  pen.restore();
  const say = (text, y, bold) => note(pen, text, middle, toY(y), { color: bold ? tones.text : tones.muted, align: "center", bold });
  say("How many draws until 9 of 10 estimators", 0.62, true);
  say("stay within a tenth of the truth?", 0.44, true);
  say("Plant the flag, then press Reveal.", 0.22, false);
}

function drawAnswers(pen, scale, { report, model, tones, alpha }) {
  const { top, bottom, left, right } = scale.box;
  const { n, ratio } = model.arrays;
  const place = (draws) => Math.max(left, Math.min(right, scale.toX(Math.log10(draws))));
  pen.save();
  clip(pen, scale);
  pen.globalAlpha = 0.14;
  pen.fillStyle = tones.target;
  pen.fillRect(place(report.low), top, Math.max(2, place(report.high) - place(report.low)), bottom - top);
  pen.globalAlpha = 1;
  const [rows, count] = ratio.shape;
  for (let g = 0; g < count; g++) {
    const points = Array.from({ length: rows }, (_, i) => [Math.log10(n.values[i]), ratio.values[i * count + g]]);
    line(pen, scale, points, { color: tones.weights, width: 0.8, alpha: 0.22 });
  }
  pen.restore();
  const pole = (draws, tone, dash, text, row) => {
    const x = place(draws);
    pen.save();
    pen.strokeStyle = tone;
    pen.lineWidth = 2;
    pen.globalAlpha = alpha;
    pen.setLineDash(dash);
    segment(pen, x, top, x, bottom);
    pen.restore();
    const toLeft = x > (left + right) / 2;
    note(pen, text, x + (toLeft ? -6 : 6), bottom - 8 - 18 * row, { color: tone, bold: true, align: toLeft ? "right" : "left" });
  };
  pole(report.needed, tones.target, [6, 4], `rule: ${report.needed_text}`, 0);
  if (report.measured !== null) pole(report.measured, tones.weights, [], `measured: ${report.measured_text}`, 1);
}

function drawShare(pen, box, { state, numbers, model, tones }) {
  const scale = axes(
    { pen, ...box },
    { x: [0, DECADES], y: [0, 1], xLabel: "draws of each estimator, n (log scale)", title: "Share within a tenth", tones, xTicks: stops() },
  );
  line(pen, scale, [[0, model.enough], [DECADES, model.enough]], { color: tones.muted, width: 1.4, dash: [2, 4] });
  const at = scale.toX(Math.log10(state.flag));
  pen.strokeStyle = tones.prior;
  pen.lineWidth = 3;
  segment(pen, at, scale.box.top, at, scale.box.bottom);
  if (!numbers.report) return;
  const { n, within } = model.arrays;
  const points = Array.from(n.values, (draws, i) => [Math.log10(draws), within.values[i]]);
  line(pen, scale, points, { color: tones.weights, width: 2 });
}

const rounded = (draws) => Math.max(1, Math.min(10 ** DECADES, Number(draws.toPrecision(2))));

function handles({ state, model, view }) {
  const { toX, box } = view.at;
  const x = toX(Math.log10(state.flag));
  const flag = {
    name: "flag", label: "Your flag: number of draws", tone: "prior", shape: "tall",
    x: Math.max(22, Math.min(view.runs.width - 22, x)), y: box.top + POLE,
    value: state.flag, low: 1, high: 10 ** DECADES, text: `${readable(state.flag)} draws`,
  };
  return [...pair.handles(shape(state), view.main, model.limits, view.upper.width), flag];
}

const moved = (state, { loc, scale }) => ({ ...state, mean: loc, width: scale });

function drag(name, point, { state, model, view }) {
  if (name !== "flag") return moved(state, pair.drag(name, point, shape(state), view.main, model.limits));
  const { left, right } = view.at.box;
  return { ...state, flag: rounded(10 ** ((DECADES * (point.x - left)) / (right - left))) };
}

function nudge(name, steps, { state, model }) {
  if (name !== "flag") return moved(state, pair.nudge(name, steps, shape(state), model.limits));
  const next = rounded(state.flag * 10 ** (steps / 20));
  return { ...state, flag: next === state.flag ? rounded(state.flag + Math.sign(steps)) : next };
}

function buttons({ numbers }) {
  return numbers.report ? [{ name: "hide", label: "Hide the answer" }] : [{ name: "reveal", label: "Reveal" }];
}

function press(name, { state, model, numbers }) {
  if (name === "hide") return { ...state, shown: "" };
  return numbers.asked ? { ...state, shown: model.key } : state;
}

function formula({ state, numbers: { report }, model }) {
  const unknown = "?";
  return [
    { symbol: "n", value: report ? report.needed_text : unknown, term: "rule", role: "target" },
    { symbol: "≈ exp(" },
    { symbol: "KL(p‖q)", value: report ? `${report.kl_text} nats` : unknown, term: "rule" },
    { symbol: ")," },
    { symbol: "p", value: model.target_title, term: "target", role: "target" },
    { symbol: "," },
    { symbol: "q", value: `Normal(${readable(state.mean, 1)}, ${readable(state.width, 1)})`, term: "proposal", role: "proposal" },
  ];
}

function cards({ state, numbers: { report }, model, fresh }) {
  const flag = { label: "Your flag", value: digits(state.flag), note: "draws" };
  const hidden = (label, note) => ({ label, value: "?", note });
  if (!report) {
    return [flag, hidden("Rule: exp(KL)", "reveal to see"), hidden("Measured", "reveal to see"), hidden("Score", "reveal to see")];
  }
  const score = fresh ? report.score : null;
  return [
    flag,
    { label: "Rule: exp(KL)", value: report.needed_text, note: `from ${report.low_text} to ${report.high_text}`, help: report.band_help },
    { label: "Measured", value: report.measured_text, note: `${percent(model.enough)} within a tenth` },
    {
      label: "Score", value: score ? score.measured : "…", note: score ? `against the rule ${score.rule}` : "on release",
      exact: true, help: "Orders of magnitude: log10 of your flag over the answer. Zero is perfect, −1 ten times too few.",
    },
    { label: "At your flag", value: score ? score.within : "…", note: "of the estimators within a tenth", exact: true },
    { label: "Variance alone asks", value: report.variance_text, note: `draws; E[w²] = ${report.moment_text}`, help: report.variance_help },
  ];
}

function says({ state, numbers: { report } }) {
  if (!report) return `Your flag stands at ${readable(state.flag)} draws.`;
  return `Rule ${report.needed_text} draws, measured ${report.measured_text}. Your score: ${report.score.measured} orders of magnitude.`;
}

function table({ numbers: { report }, model }) {
  if (!report) return [["n", "share_within"]];
  const { n, within } = model.arrays;
  return [["n", "share_within"], ...Array.from(n.values, (draws, i) => [draws, within.values[i]])];
}
