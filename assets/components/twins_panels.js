// What the two runs look like: both on two rulers, the difference, and a latent plane each. A is drawn
// with diamonds in the proposal's tone, B with squares in the bound's, on every panel. `view` holds
// { rows, looks, labels, classes, titles, covered, tones }; a painter names its panel as well.

import { classes, diamond, square } from "./marks.js";
import { fixed, signed, sub } from "./numbers.js";
import { axes, band, begin, clipped, extent, line, note, segment } from "./plot.js";

// Columns of a row, as iwae_core/runtime/twins.py lays them.
export const COLUMNS = ["step", "a_one", "a_many", "b_one", "b_many", "apart_one", "error_one", "apart_many", "error_many"];
export const STEP = 0;
const OUTER = [4, 8]; // the last marks stand out of the axes
const COVER = "Predict first, above, or press Play.";
const A_ONE = 1, A_MANY = 2, B_ONE = 3, B_MANY = 4, APART_ONE = 5, APART_MANY = 7;
const SIDES = [
  { name: "A", tone: "proposal", one: A_ONE, many: A_MANY, mark: diamond },
  { name: "B", tone: "bound", one: B_ONE, many: B_MANY, mark: square },
];

// What would give away an answer that is still asked for.
function cover({ heading, canvas }, { tones }, title) {
  heading.textContent = title;
  const { pen, width, height } = begin(canvas);
  note(pen, COVER, width / 2, height / 2, { color: tones.muted, align: "center" });
  canvas.setAttribute("aria-label", `${title}. ${COVER}`);
}

// The first looks lie far below all others; later they would flatten what is to be seen.
function shown(rows) {
  const late = rows.filter((row) => row[STEP] >= 0.12 * rows.at(-1)[STEP]);
  return late.length > 2 ? late : rows;
}

function ruled(sheet, { rows, tones }, columns, yLabel, more = []) {
  const values = [...shown(rows).flatMap((row) => columns.map((column) => row[column])), ...more];
  const last = Math.max(10, rows.at(-1)?.[STEP] ?? 0);
  return axes(sheet, { x: [0, last], y: extent(values, 0.1), tones, xLabel: "training step", yLabel });
}

const column = (rows, at) => rows.map((row) => [row[STEP], row[at]]);

export function paintBounds(panel, view) {
  if (view.covered) return cover(panel, view, "Two rulers, held-out data");
  const { heading, canvas } = panel;
  const { rows, tones, titles } = view;
  heading.replaceChildren("Two rulers, held-out data: ", ...key(tones, titles));
  const sheet = begin(canvas);
  const scale = ruled(sheet, view, [A_ONE, A_MANY, B_ONE, B_MANY], "nats per datapoint");
  const last = rows.at(-1);
  clipped(sheet.pen, scale.box, () => {
    for (const { tone, one, many } of SIDES) {
      line(sheet.pen, scale, column(rows, one), { color: tones[tone], dash: [7, 4], width: 2 });
      line(sheet.pen, scale, column(rows, many), { color: tones[tone], width: 2.5 });
    }
    if (!last) return;
    for (const { tone, one, many, mark } of SIDES) {
      sheet.pen.fillStyle = tones[tone];
      for (const at of [one, many]) mark(sheet.pen, scale.toX(last[STEP]), scale.toY(last[at]), 5);
    }
  }, OUTER);
  canvas.setAttribute("aria-label", last
    ? `Held-out bounds at step ${last[STEP]}: ${SIDES.map(({ name, one, many }) => `${name} has L_1 ${fixed(last[one])} and L_64 ${fixed(last[many])}`).join(", ")} nats.`
    : "Held-out bounds of both runs against the step.");
  return undefined;
}

export function paintApart(panel, view) {
  if (view.covered) return cover(panel, view, "B less A");
  const { heading, canvas } = panel;
  const { rows, tones } = view;
  const last = rows.at(-1);
  const told = (at) => `${signed(last[at])} ± ${fixed(last[at + 1])}`;
  heading.textContent = last
    ? `B less A at step ${last[STEP]}: L₆₄ ${told(APART_MANY)}, L₁ ${told(APART_ONE)} nats`
    : "B less A";
  const sheet = begin(canvas);
  const { pen } = sheet;
  const scale = ruled(sheet, view, [APART_ONE, APART_MANY], "B less A, nats", [0]);
  const { box } = scale;
  const zero = scale.toY(0);
  pen.save();
  pen.globalAlpha = 0.1;
  pen.fillStyle = tones.bound;
  pen.fillRect(box.left, box.top, box.right - box.left, zero - box.top);
  pen.fillStyle = tones.proposal;
  pen.fillRect(box.left, zero, box.right - box.left, box.bottom - zero);
  pen.restore();
  clipped(pen, box, () => {
    for (const [at, dash, width] of [[APART_ONE, [7, 4], 2], [APART_MANY, [], 2.5]]) {
      const edge = (sign) => rows.map((row) => [row[STEP], row[at] + 2 * sign * row[at + 1]]);
      band(pen, scale, edge(-1), edge(1), { color: tones.muted, alpha: 0.25 });
      line(pen, scale, column(rows, at), { color: tones.text, dash, width });
    }
  }, OUTER);
  pen.strokeStyle = tones.text;
  pen.lineWidth = 1;
  segment(pen, box.left, zero, box.right, zero);
  const style = { halo: tones.background };
  if (zero - box.top > 18) note(pen, "B is better", box.left + 6, box.top + 14, { ...style, color: tones.bound, halo: tones.background });
  if (box.bottom - zero > 18) note(pen, "A is better", box.left + 6, box.bottom - 6, { ...style, color: tones.proposal, halo: tones.background });
  canvas.setAttribute("aria-label", last ? `${heading.textContent}; the band is two standard errors over the held-out data.` : "B less A against the step.");
  return undefined;
}

// The plane of one side, 0 for A and 1 for B.
export function paintLatents({ heading, canvas, side: index }, { looks, labels, classes: names, tones }) {
  const side = SIDES[index];
  const { axes: [first, second], active: [active, all], points } = looks[index];
  heading.textContent = `Latent plane of ${side.name}: ${active} of ${all} units active`;
  const sheet = begin(canvas);
  const { pen } = sheet;
  // One scale for both, so that a wider cloud looks wider.
  const reach = Math.max(2.5, ...looks.flatMap((look) => Array.from(look.points, Math.abs))) * 1.05;
  const across = reach * Math.max(1, (sheet.width - 45) / (sheet.height - 60));
  const scale = axes(sheet, {
    x: [-across, across], y: [-reach, reach], tones, xLabel: `z${sub(first + 1)}`, yLabel: `z${sub(second + 1)}`,
  });
  pen.strokeStyle = tones.prior;
  pen.setLineDash([2, 4]);
  for (const radius of [1, 2]) {
    pen.beginPath();
    pen.ellipse(scale.toX(0), scale.toY(0), scale.toX(radius) - scale.toX(0), scale.toY(0) - scale.toY(radius), 0, 0, 2 * Math.PI);
    pen.stroke();
  }
  pen.setLineDash([]);
  classes(pen, scale, points, labels, names);
  pen.fillStyle = tones[side.tone];
  side.mark(pen, scale.box.right - 10, scale.box.top + 8, 6);
  canvas.setAttribute("aria-label", `${heading.textContent}; posterior means of ${labels.length} held-out datapoints.`);
}

// What A and B are, each with its mark and its tone; dashed and solid are named once.
function key(worn, titles) {
  const parts = SIDES.flatMap(({ name, tone }, i) => {
    const sign = document.createElement("span");
    sign.textContent = `${i ? " ■ " : "◆ "}${name}, ${titles[i]}`;
    sign.style.color = worn[tone];
    return [sign, i ? "" : "  "];
  });
  return [...parts, " · solid L₆₄, dashed L₁"];
}
