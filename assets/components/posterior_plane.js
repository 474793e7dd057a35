// One plane of the posterior really used: p as a tone, and lines that hold half and nine tenths of the
// mass of p, of q (an ellipse, from its formula) and of q_K.

import { image, note, readable, segment, spot, ticks } from "./plot.js";
import { channels } from "./tones.js";

export const SHARES = [0.5, 0.9];
export const SIGMAS = SHARES.map((share) => Math.sqrt(-2 * Math.log(1 - share))); // radii of a Gaussian

export function drawPlane(pen, view, panel, found, model, tones, on) {
  const { left, right, top, bottom } = view;
  frame(pen, view, panel, tones);
  pen.save();
  pen.beginPath();
  pen.rect(left, top, right - left, bottom - top);
  pen.clip();
  tone(pen, view, panel, tones.target, on("p"));
  lines(pen, view, panel, panel.lines, { color: tones.target, width: 1.5, alpha: on("p") });
  ellipses(pen, view, found.q, tones.proposal, on("q"));
  const resampled = model.view === "resample";
  lines(pen, view, panel, found.lines, {
    color: tones.weights, width: found.known ? 3 : 2, alpha: (resampled ? 0.3 : 1) * on("used"),
  });
  if (resampled) dots(pen, view, panel, tones.weights, (found.fresh ? 0.6 : 0.15) * on("used"));
  pen.restore();
  legend(pen, view, panel, found, resampled, tones);
  if (panel.image) image(pen, panel.image.values, panel.image.shape, right - 52, bottom - 52, 48, tones.mode === "dark");
}

export function frame(pen, { box, left, right, top, bottom, toX, toY, toZ }, panel, tones) {
  const [low, high] = [toZ({ x: left, y: bottom }), toZ({ x: right, y: top })];
  pen.lineWidth = 1;
  pen.strokeStyle = tones.grid;
  pen.strokeRect(left, top, right - left, bottom - top);
  pen.fillStyle = tones.muted;
  pen.textAlign = "center";
  pen.textBaseline = "top";
  for (const z of ticks(low[0], high[0], 5)) pen.fillText(readable(z, high[0] - low[0]), toX(z), bottom + 5);
  pen.textAlign = "right";
  pen.textBaseline = "middle";
  for (const z of ticks(low[1], high[1], 5)) pen.fillText(readable(z, high[1] - low[1]), left - 5, toY(z));
  note(pen, panel.title, box.left + 2, box.top + 14, { color: tones.text, bold: true });
}

// The density as ink of one tone, deeper where it is higher.
export function tone(pen, { toX, toY }, { p, n, low, high }, color, alpha) {
  const sheet = new OffscreenCanvas(n, n);
  const pixels = new ImageData(n, n);
  const peak = p.reduce((most, value) => Math.max(most, value), -Infinity);
  const [red, green, blue] = channels(color) ?? [0, 0, 0];
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      const ink = Math.exp(0.5 * (p[i * n + j] - peak)); // the root, so that tails are seen
      pixels.data.set([red, green, blue, Math.round(130 * ink)], 4 * ((n - 1 - j) * n + i));
    }
  }
  sheet.getContext("2d").putImageData(pixels, 0, 0);
  pen.save();
  pen.globalAlpha = alpha;
  pen.imageSmoothingEnabled = true;
  pen.drawImage(sheet, toX(low[0]), toY(high[1]), toX(high[0]) - toX(low[0]), toY(low[1]) - toY(high[1]));
  pen.restore();
}

export function lines(pen, { toX, toY }, { n, low, high }, all, { color, width, alpha }) {
  const x = (row) => toX(low[0] + ((row + 0.5) / n) * (high[0] - low[0]));
  const y = (column) => toY(low[1] + ((column + 0.5) / n) * (high[1] - low[1]));
  pen.save();
  pen.strokeStyle = color;
  pen.lineWidth = width;
  pen.lineCap = "round";
  pen.globalAlpha = alpha;
  pen.beginPath();
  for (const found of all) {
    for (let k = 0; k < found.length; k += 4) {
      pen.moveTo(x(found[k]), y(found[k + 1]));
      pen.lineTo(x(found[k + 2]), y(found[k + 3]));
    }
  }
  pen.stroke();
  pen.restore();
}

export function ellipses(pen, { toX, toY, unit }, { loc, scale }, color, alpha) {
  pen.save();
  pen.strokeStyle = color;
  pen.lineWidth = 2;
  pen.globalAlpha = alpha;
  pen.setLineDash([7, 5]);
  for (const radius of SIGMAS) {
    pen.beginPath();
    pen.ellipse(toX(loc[0]), toY(loc[1]), radius * scale[0] * unit, radius * scale[1] * unit, 0, 0, 2 * Math.PI);
    pen.stroke();
  }
  pen.restore();
}

function dots(pen, { toX, toY }, { dots: places }, color, alpha) {
  pen.save();
  pen.globalAlpha = alpha;
  for (let k = 0; k < places.length; k += 2) spot(pen, toX(places[k]), toY(places[k + 1]), { color, radius: 2 });
  pen.restore();
}

function legend(pen, { left, top, right }, { dots: places }, found, resampled, tones) {
  const y = top - 10;
  let x = left;
  const entry = (text, color, dash, width) => {
    pen.save();
    pen.strokeStyle = color;
    pen.lineWidth = width;
    pen.setLineDash(dash);
    segment(pen, x, y - 4, x + 20, y - 4);
    pen.restore();
    note(pen, text, x + 25, y, { color, bold: true });
    pen.save();
    pen.font = "600 13px sans-serif";
    x += 25 + pen.measureText(text.replace("_", "")).width + 14;
    pen.restore();
  };
  entry("p", tones.target, [], 1.5);
  entry("q", tones.proposal, [6, 4], 2);
  entry("q_K", tones.weights, [], 3);
  const told = found.known ? (resampled ? `${places.length / 2} resampled` : "") : "preview";
  if (told) note(pen, told, right, y, { color: tones.muted, align: "right" });
}
