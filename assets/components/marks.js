// Marks at a place: plain shapes, and one a datapoint that tells its class by shape and color.

import { segment } from "./plot.js";
import { categories } from "./theme.js";

const HALF = 8; // px, of a stamp

export const color = (label) => categories[label % categories.length];

export function disc(pen, x, y, radius) {
  pen.beginPath();
  pen.arc(x, y, radius, 0, 2 * Math.PI);
  pen.fill();
}

export function square(pen, x, y, radius) {
  pen.fillRect(x - radius, y - radius, 2 * radius, 2 * radius);
}

export const triangle = (pen, x, y, radius) =>
  filled(pen, [[x, y - radius * 1.3], [x + radius * 1.2, y + radius], [x - radius * 1.2, y + radius]]);

export function diamond(pen, x, y, radius) {
  const reach = 1.3 * radius;
  filled(pen, [[x, y - reach], [x + reach, y], [x, y + reach], [x - reach, y]]);
}

export function cross(pen, x, y, radius) {
  pen.strokeStyle = pen.fillStyle;
  pen.lineWidth = 2;
  segment(pen, x - radius, y - radius, x + radius, y + radius);
  segment(pen, x - radius, y + radius, x + radius, y - radius);
}

function filled(pen, [first, ...others]) {
  pen.beginPath();
  pen.moveTo(...first);
  for (const corner of others) pen.lineTo(...corner);
  pen.fill();
}

// Datapoints on a plane; `points` holds their pairs of coordinates one after another.
export function classes(pen, { toX, toY }, points, labels, names) {
  const ratio = window.devicePixelRatio || 1;
  labels.forEach((label, i) => {
    const [x, y] = [toX(points[2 * i]), toY(points[2 * i + 1])];
    if (pen.stamps === false) mark(pen, names, label, x, y); // paper keeps what is sharp at any size
    else pen.drawImage(stampOf(names, label, ratio), x - HALF, y - HALF, 2 * HALF, 2 * HALF);
  });
}

// A mark is drawn once and stamped.
const stamps = new Map();

function stampOf(names, label, ratio) {
  const key = `${numeral(names, label) ?? ""}|${label}|${ratio}`;
  if (stamps.has(key)) return stamps.get(key);
  const stamp = new OffscreenCanvas(2 * HALF * ratio, 2 * HALF * ratio);
  const pen = stamp.getContext("2d");
  pen.scale(ratio, ratio);
  mark(pen, names, label, HALF, HALF);
  stamps.set(key, stamp);
  return stamp;
}

const numeral = (names, label) =>
  names.length > 1 && names.every((name) => name.length === 1) ? names[label] : null;

// A digit is its own numeral, so that hue is never alone; other classes take four shapes.
function mark(pen, names, label, x, y) {
  const text = numeral(names, label);
  pen.fillStyle = color(label);
  if (text === null) {
    [disc, square, triangle, cross][label % 4](pen, x, y, 3.4);
    return;
  }
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  pen.font = "bold 11px sans-serif";
  pen.fillText(text, x, y);
}
