// What the decoder makes: reconstructions, samples, and the manifold of two latents. These come a few
// times a second at most and are painted only when they have changed.

import * as plot from "./plot.js";
import { wider } from "./train_latents.js";

const N_SIDE = 12;

export function paintPictures(panel, view) {
  if (view.feed.probe.shape) paintImages(panel, view);
  else paintCloud(panel, view);
}

function paintImages({ canvas, heading }, { feed, pictures, tones }) {
  heading.textContent = "Held-out data, reconstructions, samples";
  const { pen, width, height } = plot.begin(canvas);
  const { shape, originals } = feed.probe;
  const rows = [
    ["data", originals],
    ["reconstruction", pictures.reconstructions],
    ["sample", pictures.samples],
  ];
  const pixels = shape[0] * shape[1];
  const count = Math.min(10, originals.length / pixels);
  const columns = width < 560 ? Math.ceil(count / 2) : count;
  const side = Math.min((width - 4 * (columns - 1)) / columns, (height - 72) / 3);
  rows.forEach(([name, values], row) => {
    const top = row * (side + 24);
    plot.note(pen, name, 0, top + 14, { color: tones.muted });
    for (let i = 0; i < columns; i++) {
      const part = inks(values.subarray(i * pixels, (i + 1) * pixels));
      plot.image(pen, part, shape, i * (side + 4), top + 20, side, tones.mode === "dark");
    }
  });
}

export function paintManifold({ canvas, heading }, { feed, pictures, tones }) {
  heading.textContent = "Generated manifold: the prior, decoded";
  const surface = plot.begin(canvas);
  const { pen, width, height } = surface;
  const margin = pen.measureText("100 %").width + 20;
  const frame = plot.axes({ ...surface, width: Math.min(width, height - 64 + margin) }, {
    x: [0, 1], y: [0, 1], xTicks: quantiles, yTicks: quantiles, tones, grid: false,
    xLabel: "z₁, quantile of the prior", yLabel: "z₂, quantile of the prior",
  });
  const { left, right, top, bottom } = frame.box;
  pen.imageSmoothingEnabled = false;
  pen.drawImage(atlas(pictures.manifold, feed.probe.shape, tones.mode === "dark"), left, top, right - left, bottom - top);
}

const quantiles = [0, 0.25, 0.5, 0.75, 1].map((share) => [share, `${100 * share} %`]);

// All images of the grid in one, a pixel apart, so that a repaint is one copy.
function atlas(bytes, [rows, columns], dark) {
  const sheet = new OffscreenCanvas(N_SIDE * (columns + 1) - 1, N_SIDE * (rows + 1) - 1);
  const pixels = new ImageData(sheet.width, sheet.height);
  const ink = new Uint32Array(pixels.data.buffer);
  for (let i = 0; i < bytes.length; i++) {
    const [tile, inside] = [Math.floor(i / (rows * columns)), i % (rows * columns)];
    const y = Math.floor(tile / N_SIDE) * (rows + 1) + Math.floor(inside / columns);
    const x = (tile % N_SIDE) * (columns + 1) + (inside % columns);
    const share = bytes[i] / 255;
    const tone = Math.round(255 * (dark ? 0.1 + 0.9 * share : 1 - 0.92 * share));
    ink[y * sheet.width + x] = 0xff000000 | (tone << 16) | (tone << 8) | tone;
  }
  sheet.getContext("2d").putImageData(pixels, 0, 0);
  return sheet;
}

function paintCloud({ canvas, heading }, { feed, pictures, tones }) {
  const net = pictures.manifold;
  heading.textContent = net
    ? "Data (gray), samples (crosses), decoded grid"
    : "Data (gray) and samples (crosses)";
  const surface = plot.begin(canvas);
  const { pen } = surface;
  const data = feed.probe.originals;
  const reach = Math.max(...data.map(Math.abs), 1) * 1.1;
  const across = reach * wider(surface);
  const frame = plot.axes(surface, {
    x: [-across, across], y: [-reach, reach], tones, xLabel: "x₁", yLabel: "x₂",
  });
  pen.save();
  pen.beginPath();
  pen.rect(frame.box.left, frame.box.top, frame.box.right - frame.box.left, frame.box.bottom - frame.box.top);
  pen.clip();
  pen.globalAlpha = 0.6;
  for (let i = 0; i < data.length; i += 2) {
    plot.spot(pen, frame.toX(data[i]), frame.toY(data[i + 1]), { color: tones.muted, radius: 2.4 });
  }
  if (net) grid(pen, frame, net, tones);
  pen.globalAlpha = 1;
  pen.strokeStyle = tones.target;
  pen.lineWidth = 1.4;
  const { samples } = pictures;
  for (let i = 0; i < samples.length; i += 2) {
    const [x, y] = [frame.toX(samples[i]), frame.toY(samples[i + 1])];
    plot.segment(pen, x - 3, y, x + 3, y);
    plot.segment(pen, x, y - 3, x, y + 3);
  }
  pen.restore();
}

function grid(pen, frame, net, tones) {
  const at = (row, column) => {
    const i = 2 * (row * N_SIDE + column);
    return [net[i], net[i + 1]];
  };
  const along = Array.from({ length: N_SIDE }, (_, i) => i);
  for (const i of along) {
    plot.line(pen, frame, along.map((j) => at(i, j)), { color: tones.prior, width: 1.2 });
    plot.line(pen, frame, along.map((j) => at(j, i)), { color: tones.prior, width: 1.2 });
  }
}

// Bytes to shares of ink.
const inks = (values) => (values instanceof Uint8Array ? Float32Array.from(values, (byte) => byte / 255) : values);
