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
  return canvas;
}

export function begin(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
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

// A rectangle with axes; returns the maps from data to CSS px.
export function axes({ pen, width, height }, { x, y, xLabel = "", yLabel = "", tones, grid = true }) {
  const yTicks = y ? ticks(...y, height < 180 ? 4 : 5) : [];
  const yTexts = yTicks.map((tick) => readable(tick, y[1] - y[0]));
  const wide = Math.max(8, ...yTexts.map((text) => pen.measureText(text).width + 10));
  const box = { left: wide, right: width - 10, top: yLabel ? 22 : 8, bottom: height - (xLabel ? 38 : 22) };
  const toX = (value) => box.left + ((value - x[0]) / (x[1] - x[0] || 1)) * (box.right - box.left);
  const toY = (value) => box.bottom - ((value - y[0]) / (y[1] - y[0] || 1)) * (box.bottom - box.top);
  pen.lineWidth = 1;
  pen.fillStyle = tones.muted;
  pen.strokeStyle = tones.grid;
  pen.textAlign = "right";
  pen.textBaseline = "middle";
  yTicks.forEach((tick, i) => {
    pen.fillText(yTexts[i], box.left - 6, toY(tick));
    if (grid) segment(pen, box.left, toY(tick), box.right, toY(tick));
  });
  pen.textAlign = "center";
  pen.textBaseline = "top";
  for (const tick of ticks(...x, width < 360 ? 4 : 6)) {
    pen.fillText(readable(tick, x[1] - x[0]), toX(tick), box.bottom + 5);
  }
  if (xLabel) pen.fillText(xLabel, (box.left + box.right) / 2, height - 16);
  pen.textAlign = "left";
  if (yLabel) pen.fillText(yLabel, 2, 2);
  pen.strokeStyle = tones.muted;
  segment(pen, box.left, box.bottom, box.right, box.bottom);
  return { toX, toY, box };
}

export function segment(pen, x0, y0, x1, y1) {
  pen.beginPath();
  pen.moveTo(x0, y0);
  pen.lineTo(x1, y1);
  pen.stroke();
}

// Points are [x, y] pairs in data units; gaps where y is not finite.
export function line(pen, { toX, toY }, points, { color, width = 2, dash = [], alpha = 1 }) {
  pen.save();
  pen.strokeStyle = color;
  pen.lineWidth = width;
  pen.globalAlpha = alpha;
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
