// Train K by test K: a board of cells, two of which are picked and compared.
// Cells are counted row by row; every number comes from Python, here they are only subtracted.

import { fixed, signed, sub } from "./numbers.js";
import { note, segment } from "./plot.js";

const CELL = 62; // px high
const HEAD = 46;
const SIDE = 22;
const FOOT = 26;
const PICKS = [["one", "A", "proposal"], ["two", "B", "target"]];

function decode(meta, arrays) {
  const values = Object.fromEntries(Object.entries(arrays).map(([name, { values: held }]) => [name, Array.from(held)]));
  const [R, C] = [meta.train_k.length, meta.columns.length];
  const shown = meta.view === "gap" ? values.gap : values.mean;
  const errors = meta.view === "gap" ? values.gap_error : values.std_error;
  const best = meta.columns.map((_, c) => {
    const column = meta.train_k.map((_, r) => values.mean[r * C + c]);
    return column.indexOf(Math.max(...column.filter(Number.isFinite)));
  });
  const top = Math.max(...values.mean.filter(Number.isFinite));
  // How far below the truth, or the best cell: 0 at a thousandth of a nat, 1 at three nats.
  const far = values.mean.map((value, at) => {
    const gap = meta.knows_truth ? values.gap[at] : top - value;
    return Math.min(1, Math.max(0, (Math.log10(Math.max(gap, 1e-3)) + 3) / 3.5));
  });
  return { ...meta, ...values, R, C, shown, errors, best, far };
}

function compute({ one, two }, model) {
  const { C, R, mean, apart_error: error } = model;
  const [a, b] = [one, two].map((at) => Math.min(Math.max(0, Number(at)), R * C - 1));
  const between = (from, to) => ({ value: mean[to] - mean[from], error: error[from * R * C + to] });
  const corner = Math.floor(b / C) * C + (a % C); // B's model by A's ruler
  return {
    a, b, apart: between(a, b), model: between(a, corner), ruler: between(corner, b),
    sameModel: Math.floor(a / C) === Math.floor(b / C), sameRuler: a % C === b % C,
  };
}

const height = (_, model) => HEAD + CELL * model.R + FOOT;

function layout({ width }, state, numbers, model) {
  const left = SIDE + (width < 520 ? 24 : 46);
  const wide = (width - left - 2) / model.C;
  return { left, wide, narrow: width < 520, width };
}

const place = (at, { left, wide }, { C }) => ({ x: left + (at % C) * wide, y: HEAD + Math.floor(at / C) * CELL });

function draw(pen, { view, numbers, model, tones }) {
  const { left, wide, narrow, width } = view;
  const plain = (text, x, y, more = {}) => note(pen, text, x, y, { color: tones.muted, ...more });
  plain(narrow ? "test K" : "measured by L_K, K =".replace("_K", "\u2096"), left, 14);
  model.columns.forEach((name, c) => {
    const exact = !/^\d+$/.test(name);
    plain(name, left + (c + 0.5) * wide, 36, { align: "center", bold: true, color: exact ? tones.exact : tones.text });
  });
  pen.save();
  pen.translate(12, HEAD + (CELL * model.R) / 2);
  pen.rotate(-Math.PI / 2);
  plain("trained with K =", 0, 0, { align: "center" });
  pen.restore();
  model.train_k.forEach((K, r) => plain(String(K), left - 8, HEAD + CELL * (r + 0.5) + 5, { align: "right", bold: true, color: tones.text }));
  model.mean.forEach((_, at) => drawCell(pen, at, view, model, tones));
  for (const [pick, , tone] of PICKS) frame(pen, place(numbers[pick === "one" ? "a" : "b"], view, model), wide, tones[tone], pick === "one");
  const about = `bold: best of its column${model.R && narrow ? "" : " · greener: higher"} · ± one standard error`;
  plain(about, Math.min(left, width), HEAD + CELL * model.R + 19);
}

function drawCell(pen, at, view, model, tones) {
  const { x, y } = place(at, view, model);
  const { wide, narrow } = view;
  const known = Number.isFinite(model.mean[at]);
  pen.save();
  pen.globalAlpha = known ? 0.08 + 0.5 * (1 - model.far[at]) : 1;
  pen.fillStyle = tones.bound;
  pen.strokeStyle = tones.grid;
  pen.lineWidth = 1;
  if (known) pen.fillRect(x + 1, y + 1, wide - 2, CELL - 2);
  else pen.strokeRect(x + 1.5, y + 1.5, wide - 3, CELL - 3);
  pen.restore();
  const middle = x + wide / 2;
  const isBest = model.best[at % model.C] === Math.floor(at / model.C);
  const unknown = model.covered && at % model.C ? "?" : "…";
  const short = (number) => (narrow ? number.replace(/^(\D?)0\./, "$1.") : number); // .438 for 0.438
  const told = (decimals) => short(fixed(model.shown[at], decimals));
  const full = known ? told(model.view === "gap" ? 3 : 2) : unknown;
  // On a phone two figures before the point leave room for one behind it; the cards have more.
  const text = known && pen.measureText(full).width > wide - 4 ? told(1) : full;
  note(pen, text, middle, y + 36, { color: tones.text, align: "center", bold: isBest && known });
  if (!known || !Number.isFinite(model.errors[at])) return;
  note(pen, `±${short(fixed(model.errors[at], 3))}`, middle, y + 53, { color: tones.muted, align: "center" });
}

function frame(pen, { x, y }, wide, color, dashed) {
  pen.save();
  pen.strokeStyle = color;
  pen.lineWidth = 3;
  pen.setLineDash(dashed ? [6, 4] : []);
  const inset = wide < 60 || dashed ? 1.5 : 3.5;
  const [w, h] = [wide - 2 * inset, CELL - 2 * inset];
  for (const [x0, y0, x1, y1] of [[0, 0, w, 0], [w, 0, w, h], [w, h, 0, h], [0, h, 0, 0]]) {
    segment(pen, x + inset + x0, y + inset + y0, x + inset + x1, y + inset + y1);
  }
  pen.restore();
}

const rowOf = (at, { C, train_k: K }) => K[Math.floor(at / C)];
const columnOf = (at, { C, columns }) => columns[at % C];
const isNumber = (name) => /^\d+$/.test(name);
const ruler = (at, model) => (isNumber(columnOf(at, model)) ? `L${sub(columnOf(at, model))}` : "exact log p(x)");
const cell = (at, model) => `trained with K = ${rowOf(at, model)}, ${ruler(at, model)}`;

function handles({ numbers, view, model }) {
  return PICKS.map(([name, letter, tone]) => {
    const at = name === "one" ? numbers.a : numbers.b;
    const { x, y } = place(at, view, model);
    return {
      name, tone, label: `Cell ${letter}; left and right by a column, Shift for a row`,
      x: name === "one" ? x + 12 : x + view.wide - 12, y: y + 12,
      value: at, low: 0, high: model.R * model.C - 1, text: `${cell(at, model)}: ${fixed(model.mean[at], 3)} nats`,
      shape: name === "one" ? "round" : "wide",
    };
  });
}

function under({ x, y }, view, { R, C }) {
  const c = Math.min(C - 1, Math.max(0, Math.floor((x - view.left) / view.wide)));
  const r = Math.min(R - 1, Math.max(0, Math.floor((y - HEAD) / CELL)));
  return r * C + c;
}

const drag = (name, point, { state, view, model }) => ({ ...state, [name]: under(point, view, model) });

function nudge(name, steps, { state, model: { R, C } }) {
  const moved = state[name] + (Math.abs(steps) > 1 ? -Math.sign(steps) * C : steps);
  return moved < 0 || moved >= R * C ? state : { ...state, [name]: moved };
}

// A click picks the cell, and what was picked last becomes the other one.
function click(point, { state, view, model }) {
  if (point.y < HEAD || point.y > HEAD + CELL * model.R || point.x < view.left) return null;
  const at = under(point, view, model);
  return at === state.two ? null : { one: state.two, two: at };
}

const difference = ({ value, error }) =>
  Number.isFinite(value) ? `${signed(value, 3)}${Number.isFinite(error) ? ` ± ${fixed(error, 3)}` : ""}` : "…";

function cards({ numbers, model }) {
  const { a, b, apart, sameModel, sameRuler } = numbers;
  const shown = (at) => (Number.isFinite(model.mean[at]) ? fixed(model.mean[at], 3) : "…");
  const kind = sameModel && sameRuler ? "one cell" : sameRuler ? "one ruler: the models differ" : sameModel ? "one model: the rulers differ" : "two models, two rulers";
  const far = (at) => (model.knows_truth && Number.isFinite(model.gap[at]) ? `, ${fixed(model.gap[at], 3)} below the truth` : "");
  const truth = { label: "Truth (nats)", value: fixed(model.true_mean ?? NaN, 3), note: "log p(x) of the same data" };
  const found = [
    ...(model.knows_truth ? [truth] : []),
    { label: "Cell A (nats)", value: shown(a), note: cell(a, model) + far(a) },
    { label: "Cell B (nats)", value: shown(b), note: cell(b, model) + far(b) },
    { label: "B less A", value: difference(apart), note: kind },
  ];
  if (sameModel || sameRuler) return found;
  const by = (at) => `by ${ruler(at, model)}`;
  return [
    ...found,
    { label: "of it the model", value: difference(numbers.model), note: `K = ${rowOf(b, model)} less K = ${rowOf(a, model)}, ${by(a)}` },
    { label: "of it the ruler", value: difference(numbers.ruler), note: `${ruler(b, model)} less ${ruler(a, model)}, K = ${rowOf(b, model)}` },
  ];
}

const says = ({ numbers, model }) =>
  `A: ${cell(numbers.a, model)}. B: ${cell(numbers.b, model)}. B less A ${difference(numbers.apart)} nats.`;

function table({ model }) {
  const rows = model.mean.map((value, at) => [
    rowOf(at, model), columnOf(at, model), value, model.std_error[at], ...(model.knows_truth ? [model.gap[at], model.gap_error[at]] : []),
  ]);
  const head = ["train_K", "test_K", "mean", "std_error", ...(model.knows_truth ? ["below_truth", "below_truth_error"] : [])];
  return [head, ...rows];
}

export default { decode, compute, height, layout, draw, handles, drag, nudge, click, cards, says, table };
