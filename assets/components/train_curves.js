// Curves of a run against its steps: bounds on log p(x), and the effective sample size.
// `view` holds { feed, step, back, tones, title }: what is shown ends at `step`; looking back, the
// curves stay whole and a line marks the step.

import { sub } from "./numbers.js";
import * as plot from "./plot.js";
import { after } from "./train_series.js";

const FEW = 8;
const OUTER = [4, 4]; // half a line's width and a spot stand out of the axes

export function paintBounds({ canvas }, view) {
  const { feed, tones, K } = view;
  const surface = plot.begin(canvas);
  const { pen } = surface;
  const end = view.back === null ? view.step : feed.meta.step;
  const trained = feed.steps.upTo(end);
  const held = feed.heldOut.slice(0, after(feed.heldOut, end));
  const deep = feed.deep.slice(0, after(feed.deep, end));
  const lines = [
    { name: "L₅₁₂", rows: deep, column: 1, color: tones.exact, width: 1.6, dots: true },
    { name: "L₆₄", rows: held, column: 3, color: tones.bound, width: 2.5 },
    { name: `L${sub(K)}, the K in training`, rows: held, column: 2, color: tones.weights, width: 2, dash: [8, 3, 2, 3] },
    { name: "L₁ (ELBO)", rows: held, column: 1, color: tones.proposal, width: 2, dash: [7, 4] },
  ];
  const shown = K === 1 || K === 64 ? lines.filter(({ column, rows }) => column !== 2 || rows !== held) : lines;
  const entries = [...shown, { name: `training batches: ${view.title}`, color: tones.muted, width: 1.2 }];
  const top = legend(pen, entries, tones, surface.width);
  const y = range(held, deep, trained);
  const frame = plot.axes({ ...surface, top, height: surface.height - top }, {
    x: [0, Math.max(10, end)], y, tones,
    xLabel: "training step", yLabel: "held out, nats per datapoint",
  });
  plot.clipped(pen, frame.box, () => {
    const ruler = (column) => held.map((row) => [row[0], row[column]]);
    plot.band(pen, frame, ruler(1), ruler(3), { color: tones.bound, alpha: 0.15 });
    plot.line(pen, frame, trained, { color: tones.muted, width: 1.2, alpha: 0.7 });
    for (const { rows, column, dots, ...style } of shown.toReversed()) {
      // Between few looks, far apart, a line would tell of what nobody saw; so would one that comes
      // from a look far below the picture.
      const seen = dots ? rows.filter((row) => row[column] >= y[0]) : rows;
      if (!dots || seen.length > FEW) plot.line(pen, frame, seen.map((row) => [row[0], row[column]]), style);
      for (const row of dots ? rows.slice(-60) : []) {
        plot.spot(pen, frame.toX(row[0]), frame.toY(row[column]), { color: style.color, radius: 2.5 });
      }
    }
  }, OUTER);
  cursor(pen, frame, view);
}

export function paintEss({ canvas, heading }, view) {
  const { feed, tones } = view;
  const surface = plot.begin(canvas);
  const { pen } = surface;
  const end = view.back === null ? view.step : feed.meta.step;
  const rows = feed.steps.upTo(end);
  const at = rows[after(rows, view.step) - 1];
  heading.textContent = at
    ? `Effective samples in training: ${at[2].toFixed(1)} of ${Math.round(at[3])}`
    : "Effective samples in training";
  const most = Math.max(1, ...rows.map((row) => row[3]));
  const frame = plot.axes(surface, {
    x: [0, Math.max(10, end)], y: [0, most * 1.1], tones, xLabel: "training step", yLabel: "samples (dashed: K)",
  });
  plot.clipped(pen, frame.box, () => {
    plot.line(pen, frame, rows.map((row) => [row[0], row[3]]), { color: tones.muted, dash: [4, 4], width: 1.5 });
    plot.line(pen, frame, rows.map((row) => [row[0], row[2]]), { color: tones.weights, width: 2 });
  }, OUTER);
  cursor(pen, frame, view);
}

// Early steps would flatten all that follows, so a long run's first fiftieth may leave the picture.
function range(held, deep, trained) {
  const first = held.length > 8 ? held[Math.floor(held.length / 50)][0] : 0;
  const values = [
    ...held.filter(([step]) => step >= first).flatMap(([, one, , many]) => [one, many]),
    ...deep.filter(([step]) => step >= first).map(([, value]) => value),
    ...trained.filter(([step]) => step >= first * 4).map(([, value]) => value),
  ];
  return plot.extent(values, 0.08);
}

function cursor(pen, frame, { back, tones }) {
  if (back === null) return;
  pen.save();
  pen.strokeStyle = tones.text;
  pen.lineWidth = 1.5;
  plot.segment(pen, frame.toX(back), frame.box.top - 4, frame.toX(back), frame.box.bottom);
  pen.restore();
}

// Names of the lines in rows above the plot; returns the height that it takes.
function legend(pen, entries, tones, width) {
  const [swatch, gap, lineHeight] = [26, 16, 20];
  let [left, top] = [2, 0];
  pen.textBaseline = "middle";
  pen.textAlign = "left";
  for (const { name, color, dash = [], dots = false, width: thickness } of entries) {
    const wide = swatch + 6 + pen.measureText(name).width;
    if (left > 2 && left + wide > width) [left, top] = [2, top + lineHeight];
    pen.strokeStyle = color;
    pen.lineWidth = thickness;
    pen.setLineDash(dash);
    plot.segment(pen, left, top + 9, left + swatch, top + 9);
    pen.setLineDash([]);
    if (dots) plot.spot(pen, left + swatch / 2, top + 9, { color, radius: 3 });
    pen.fillStyle = tones.text;
    pen.fillText(name, left + swatch + 6, top + 9);
    left += wide + gap;
  }
  return top + lineHeight + 4;
}
