// Small drawings on a canvas: a sharp surface that follows its box, axes, lines, dots, bars, images.
// Nothing here knows what the numbers mean.

const FONT = "13px sans-serif";

// A canvas that fills its parent's width; `height` in CSS px. Drawing units are CSS px.
export function surface(parent, height, label) {
  const canvas = document.createElement("canvas");
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", label);
  canvas.style.cssText = `display:block;width:100%;height:${height}px`;
  parent.append(canvas);
  sizes.set(canvas, null);
  watcher.observe(canvas);
  return canvas;
}

// Sizes in CSS px as of the last layout. To ask a canvas for its size, after a text beside it has
// changed, makes the browser lay out the page there and then, several times a picture.
const sizes = new WeakMap();
const watcher = new ResizeObserver((entries) => {
  for (const { target } of entries) sizes.set(target, [target.clientWidth, target.clientHeight]);
});

// What is known of its size no longer holds, and the watcher tells the new one after this picture.
export function setHeight(canvas, height) {
  canvas.style.height = `${height}px`;
  sizes.set(canvas, null);
}

// One that was out of sight has none since then, and is asked.
export function sizeOf(canvas) {
  const [width, height] = sizes.get(canvas) ?? [0, 0];
  return width && height ? [width, height] : [canvas.clientWidth, canvas.clientHeight];
}

export function begin(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const [width, height] = sizeOf(canvas);
  const [pixelWidth, pixelHeight] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== pixelWidth || canvas.height !== pixelHeight) {
    canvas.width = pixelWidth;
    canvas.height = pixelHeight;
  }
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  pen.font = FONT;
  pen.lineJoin = "round";
  return { pen, width, height };
}

// Round numbers between low and high, at most `most` of them.
export function ticks(low, high, most = 5) {
  const span = high - low || 1;
  const power = 10 ** Math.floor(Math.log10(span / most));
  const step = [1, 2, 5, 10].map((digit) => digit * power).find((size) => span / size <= most);
  const first = Math.ceil(low / step - 1e-9);
  const count = Math.floor(high / step + 1e-9) - first + 1;
  return Array.from({ length: Math.max(0, count) }, (_, i) => (first + i) * step);
}

export function readable(value, span = Math.abs(value)) {
  if (Math.abs(value) >= 1e4) return `${minus(+(value / 1000).toPrecision(4))}k`;
  const digits = Math.max(0, Math.min(6, 2 - Math.floor(Math.log10(span || 1))));
  return minus(+value.toFixed(digits));
}

export const minus = (value) => String(value).replace("-", "\u2212");

// A rectangle with axes, in a part of the sheet that starts at `left`, `top`; returns the maps from
// data to CSS px. `xTicks` and `yTicks` are [place, text] pairs where round numbers would not do;
// with `handled` their texts stand clear of a handle that lies on an axis.
export function axes(
  { pen, width, height, left = 0, top = 0 },
  { x, y, xLabel = "", yLabel = "", title = "", tones, grid = true, xTicks = null, yTicks = null, handled = false },
) {
  const clear = handled ? 6 : 0;
  const rounded = () => ticks(...y, height < 180 ? 4 : 5).map((tick) => [tick, readable(tick, y[1] - y[0])]);
  const yTexts = yTicks ?? (y ? rounded() : []);
  const wide = Math.max(8, ...yTexts.map(([, text]) => pen.measureText(text).width + 10 + clear));
  const box = {
    left: left + wide,
    right: left + width - 10,
    top: top + (yLabel || title ? 28 : 8), // a number at the top stands clear of the title
    bottom: top + height - (xLabel ? 40 : 22) - clear,
  };
  const toX = (value) => box.left + ((value - x[0]) / (x[1] - x[0] || 1)) * (box.right - box.left);
  const toY = (value) => box.bottom - ((value - y[0]) / (y[1] - y[0] || 1)) * (box.bottom - box.top);
  pen.lineWidth = 1;
  pen.fillStyle = tones.muted;
  pen.strokeStyle = tones.grid;
  pen.textAlign = "right";
  pen.textBaseline = "middle";
  for (const [tick, text] of yTexts) {
    pen.fillText(text, box.left - 6 - clear, toY(tick));
    if (grid) segment(pen, box.left, toY(tick), box.right, toY(tick));
  }
  pen.textAlign = "center";
  pen.textBaseline = "top";
  const round = () => ticks(...x, width < 360 ? 4 : 6).map((tick) => [tick, readable(tick, x[1] - x[0])]);
  for (const [tick, text] of xTicks ?? round()) {
    const half = pen.measureText(text).width / 2; // the last one must not end beyond the sheet
    pen.fillText(text, Math.min(toX(tick), left + width - half), box.bottom + 5 + clear);
  }
  if (xLabel) pen.fillText(xLabel, (box.left + box.right) / 2, top + height - 17);
  pen.textAlign = "left";
  if (yLabel) pen.fillText(yLabel, left + 2, top + 2);
  if (title) note(pen, title, left + 2, top + 14, { color: tones.text, bold: true });
  pen.strokeStyle = tones.muted;
  segment(pen, box.left, box.bottom, box.right, box.bottom);
  return { toX, toY, box };
}

// A text with its baseline at y; a `halo` in the background's color keeps it readable over marks.
export function note(pen, text, x, y, { color, align = "left", bold = false, halo = null }) {
  pen.save();
  pen.font = bold ? `600 ${FONT}` : FONT;
  pen.fillStyle = color;
  pen.textAlign = align;
  pen.textBaseline = "alphabetic";
  const write = text.includes("_") ? writeIndexed : writePlain;
  if (halo) {
    pen.strokeStyle = halo;
    pen.lineWidth = 4;
    write(pen, text, x, y, "strokeText");
  }
  write(pen, text, x, y, "fillText");
  pen.restore();
}

const writePlain = (pen, text, x, y, how) => pen[how](text, x, y);

function writeIndexed(pen, text, x, y, how) {
  const { font, textAlign } = pen;
  const pieces = indexed(text).map(([piece, below]) => {
    pen.font = below ? font.replace(/\d+px/, "10px") : font;
    return { piece, font: pen.font, line: y + (below ? 4 : 0), width: pen.measureText(piece).width };
  });
  const whole = pieces.reduce((sum, { width }) => sum + width, 0);
  let at = x - { left: 0, center: whole / 2, right: whole }[textAlign];
  pen.textAlign = "left";
  for (const { piece, font: own, line: base, width } of pieces) {
    pen.font = own;
    pen[how](piece, at, base);
    at += width;
  }
  [pen.font, pen.textAlign] = [font, textAlign];
}

// A text in pieces, [what is written, whether below the line]: "q_K: x" has the index K.
export function indexed(text) {
  const pieces = text.split(/_([A-Z]|\d+)(?![A-Za-z0-9])/);
  return pieces.map((piece, i) => [piece, i % 2 === 1]).filter(([piece]) => piece);
}

export function spot(pen, x, y, { color, radius = 4, hollow = false }) {
  pen.beginPath();
  pen.arc(x, y, radius, 0, 2 * Math.PI);
  pen.lineWidth = 2;
  pen.strokeStyle = pen.fillStyle = color;
  if (hollow) pen.stroke();
  else pen.fill();
}

// A line and the area below it, down to y = 0.
export function curve(pen, scale, points, { color, fill = 0, alpha = 1, ...style }) {
  if (fill) {
    pen.save();
    pen.globalAlpha = fill * alpha;
    pen.fillStyle = color;
    pen.beginPath();
    pen.moveTo(scale.toX(points[0][0]), scale.toY(0));
    for (const [x, y] of points) pen.lineTo(scale.toX(x), scale.toY(Number.isFinite(y) ? y : 0));
    pen.lineTo(scale.toX(points[points.length - 1][0]), scale.toY(0));
    pen.fill();
    pen.restore();
  }
  line(pen, scale, points, { color, alpha, ...style });
}

// The area between two lines over the same x.
export function band(pen, { toX, toY }, low, high, { color, alpha = 0.18 }) {
  if (low.length < 2) return;
  pen.save();
  pen.globalAlpha = alpha;
  pen.fillStyle = color;
  pen.beginPath();
  for (const [x, y] of low) pen.lineTo(toX(x), toY(y));
  for (const [x, y] of high.toReversed()) pen.lineTo(toX(x), toY(y));
  pen.fill();
  pen.restore();
}

// A histogram of values over `range`; returns its axes' maps.
export function histogram(sheet, values, range, { tones, color, count = 36, ...labels }) {
  const { pen } = sheet;
  const counts = new Array(count).fill(0);
  const unit = (range[1] - range[0]) / count || 1;
  for (const value of values) {
    const bin = Math.floor((value - range[0]) / unit);
    if (bin >= 0 && bin <= count) counts[Math.min(bin, count - 1)]++;
  }
  const scale = axes(sheet, { x: range, y: [0, Math.max(...counts, 1) * 1.08], tones, ...labels });
  pen.save();
  pen.fillStyle = color;
  pen.globalAlpha = 0.75;
  counts.forEach((held, i) => {
    if (!held) return;
    const [x0, x1] = [scale.toX(range[0] + i * unit), scale.toX(range[0] + (i + 1) * unit)];
    pen.fillRect(x0, scale.toY(held), Math.max(1, x1 - x0 - 1), scale.box.bottom - scale.toY(held));
  });
  pen.restore();
  return scale;
}

export function segment(pen, x0, y0, x1, y1) {
  pen.beginPath();
  pen.moveTo(x0, y0);
  pen.lineTo(x1, y1);
  pen.stroke();
}

// Paint inside a box alone, and inside what may stand out of it above and to the right, in px.
export function clipped(pen, box, paint, [above, right] = [0, 0]) {
  pen.save();
  pen.beginPath();
  pen.rect(box.left, box.top - above, box.right - box.left + right, box.bottom - box.top + above);
  pen.clip();
  paint();
  pen.restore();
}

// Points are [x, y] pairs in data units; gaps where y is not finite.
export function line(pen, { toX, toY }, points, { color, width = 2, dash = [], alpha = 1 }) {
  pen.save();
  pen.strokeStyle = color;
  pen.lineWidth = width;
  pen.globalAlpha *= alpha;
  pen.setLineDash(dash);
  pen.beginPath();
  let down = false;
  for (const [x, y] of points) {
    if (!Number.isFinite(y)) {
      down = false;
    } else if (down) {
      pen.lineTo(toX(x), toY(y));
    } else {
      pen.moveTo(toX(x), toY(y));
      down = true;
    }
  }
  pen.stroke();
  pen.restore();
}

// Gray images of `shape` = [rows, columns] with values in 0..1, drawn without smoothing.
export function image(pen, values, [rows, columns], left, top, side, dark) {
  const pixels = new ImageData(columns, rows);
  for (let i = 0; i < rows * columns; i++) {
    const ink = Math.max(0, Math.min(1, values[i]));
    const tone = Math.round(255 * (dark ? 0.1 + 0.9 * ink : 1 - 0.92 * ink));
    pixels.data.set([tone, tone, tone, 255], 4 * i);
  }
  const sheet = new OffscreenCanvas(columns, rows);
  sheet.getContext("2d").putImageData(pixels, 0, 0);
  pen.imageSmoothingEnabled = false;
  pen.drawImage(sheet, left, top, side, (side * rows) / columns);
}

export function extent(values, pad = 0.05) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (low > high) return [0, 1];
  const margin = (high - low || Math.abs(high) || 1) * pad;
  return [low - margin, high + margin];
}
