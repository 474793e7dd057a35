// Draws one plotly figure and keeps it: new data reach the same node through Plotly.react, so zoom,
// hidden legend entries and hover stay. Streamlit calls `draw` at every change of data or theme and
// once its returned function when the chart leaves the page; both may be called any number of times.

import { saves } from "./exports.js";
import { element, save } from "./readouts.js";
import { templates, toDark } from "./theme.js";
import { channels, isDark } from "./tones.js";

const charts = new WeakMap(); // parentElement -> { node, row, observer, painted }
const FRAME_MS = 380;
let library = null;

export function plotly() {
  library ??= new Promise((resolve, reject) => {
    if (window.Plotly) return resolve(window.Plotly);
    const script = document.createElement("script");
    script.src = new URL("./plotly.min.js", import.meta.url).href;
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => reject(new Error("plotly.min.js did not load"));
    document.head.append(script);
  });
  return library;
}

// Figures are built with light tones; a tone of the palette becomes its dark partner, opacity kept.
export function darken(value) {
  if (Array.isArray(value)) return value.map(darken);
  if (value && typeof value === "object") {
    if (ArrayBuffer.isView(value) || "bdata" in value) return value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, darken(item)]));
  }
  if (typeof value !== "string") return value;
  const direct = toDark[value.toLowerCase()];
  if (direct) return direct;
  const faded = /^rgba\((\d+),\s*(\d+),\s*(\d+),\s*([\d.]+)\)$/.exec(value);
  if (!faded) return value;
  const hex = "#" + faded.slice(1, 4).map((n) => Number(n).toString(16).padStart(2, "0")).join("");
  const tone = toDark[hex];
  return tone ? `rgba(${channels(tone).join(",")},${faded[4]})` : value;
}

export default async function draw({ parentElement, data: message }) {
  const data = JSON.parse(new TextDecoder().decode(message));
  const Plotly = await plotly();
  const chart = charts.get(parentElement) ?? mount(parentElement, Plotly, data.key);
  charts.set(parentElement, chart);
  const { node } = chart;
  node.style.height = `${data.height}px`;
  node.setAttribute("aria-label", data.alt);

  const { figure } = data;
  const dark = isDark(parentElement);
  const { data: traces, layout, frames = [] } = dark ? darken(figure) : figure;
  layout.template = templates[dark ? "dark" : "light"];
  layout.uirevision ??= data.key;
  layout.autosize = true;
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  if (still) delete layout.transition;

  await Plotly.react(node, traces, layout, CONFIG);
  if (frames.length && !still && !chart.painted) play(Plotly, node, frames);
  node.dataset.theme = dark ? "dark" : "light";
  node.dataset.painted = String(++chart.painted); // tests and benchmarks wait for this
  return () => unmount(parentElement, Plotly);
}

// A figure's frames play once, when it first appears; what the figure itself shows is their end.
async function play(Plotly, node, frames) {
  const frame = { duration: FRAME_MS, redraw: false };
  await Plotly.addFrames(node, frames);
  await Plotly.animate(node, null, { frame, transition: { duration: 0 }, mode: "immediate" })
    .catch(() => {}); // the chart left the page before the end
}

function mount(parentElement, Plotly, name) {
  const node = document.createElement("div");
  node.className = "lab-chart";
  node.style.width = "100%";
  node.setAttribute("role", "figure");
  parentElement.append(node);
  const row = element(parentElement, "p", "lab-tools"); // ui/charts.py keeps place for it
  offer(row, Plotly, node, name);
  const observer = new ResizeObserver(() => {
    if (node.data && node.clientWidth > 0) window.Plotly.Plots.resize(node);
  });
  observer.observe(parentElement);
  return { node, row, observer, painted: 0 };
}

function unmount(parentElement, Plotly) {
  const chart = charts.get(parentElement);
  if (!chart) return;
  charts.delete(parentElement);
  chart.observer.disconnect();
  Plotly.purge(chart.node);
  chart.node.remove();
  chart.row.remove();
}

// Plotly.react starts a new plot when any part of the configuration is another object.
const CONFIG = {
  responsive: false, // the ResizeObserver above also sees the sidebar open and close
  displaylogo: false,
  modeBarButtonsToRemove: ["toImage", "lasso2d", "select2d", "autoScale2d"],
};

function offer(row, Plotly, node, name) {
  const filename = name.replace(/[^\w-]+/g, "-");
  const picture = (format) => () => Plotly.downloadImage(node, { format, filename, scale: 2 });
  saves(row, {
    PNG: picture("png"),
    SVG: picture("svg"),
    CSV: () => save(new Blob([csv(node.data)], { type: "text/csv" }), `${filename}.csv`),
  });
}

const ARRAYS = {
  f4: Float32Array, f8: Float64Array, i1: Int8Array, i2: Int16Array, i4: Int32Array,
  u1: Uint8Array, u2: Uint16Array, u4: Uint32Array,
};

// plotly.py sends NumPy arrays as base64 with their type.
export function values(array) {
  if (array == null) return [];
  if (!array.bdata) return Array.from(array);
  const bytes = Uint8Array.from(atob(array.bdata), (letter) => letter.charCodeAt(0));
  const flat = Array.from(new ARRAYS[array.dtype](bytes.buffer));
  const shape = String(array.shape ?? "").split(",").map(Number);
  if (shape.length < 2) return flat;
  return Array.from({ length: shape[0] }, (_, i) => flat.slice(i * shape[1], (i + 1) * shape[1]));
}

// One row per point: trace, x, y and, where there is one, z.
export function csv(traces) {
  const rows = [["trace", "x", "y", "z"]];
  traces.forEach((trace, number) => {
    const name = trace.name ?? `trace ${number + 1}`;
    const [x, y, z] = [values(trace.x), values(trace.y), values(trace.z)];
    if (Array.isArray(z[0])) {
      z.forEach((row, i) => row.forEach((cell, j) => rows.push([name, x[j] ?? j, y[i] ?? i, cell])));
    } else {
      const length = Math.max(x.length, y.length);
      for (let i = 0; i < length; i++) rows.push([name, x[i] ?? i, y[i] ?? i, z[i] ?? ""]);
    }
  });
  return rows.map((row) => row.map(quote).join(",")).join("\r\n") + "\r\n";
}

function quote(cell) {
  const text = String(cell ?? "");
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
