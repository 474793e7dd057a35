// The live picture of a training run. Frames come from /live/<run id> in a loop that asks again
// only when the last answer is drawn, so a slow server or browser slows the picture, never piles up.
// Streamlit calls `draw` at each change of data; the canvases and the loop stay.

import * as plot from "./plot.js";
import { categories, grid, muted, roles, text } from "./theme.js";
import { isDark } from "./tones.js";
import { ess, normalize } from "./weights.js";
import { unpack } from "./wire.js";

const views = new WeakMap(); // parentElement -> View
const PLAYING_MS = 100;
const IDLE_MS = 350;
const HIDDEN_MS = 2000;
const GLANCE = ["axes", "means", "kl_per_dim", "active", "log_w"];

export default function draw({ parentElement, data }) {
  const view = views.get(parentElement) ?? new View(parentElement);
  views.set(parentElement, view);
  view.show(data);
  return () => {
    view.stop();
    views.delete(parentElement);
  };
}

class View {
  constructor(parent) {
    this.root = document.createElement("div");
    this.root.className = "lab-train";
    parent.append(this.root);
    this.status = element(this.root, "p", "lab-train-status");
    this.status.setAttribute("role", "status");
    const panel = (title, height, wide) => {
      const figure = element(this.root, "figure", wide ? "wide" : "");
      const heading = element(figure, "figcaption");
      heading.textContent = title;
      const canvas = plot.surface(figure, height, title);
      return { heading, canvas };
    };
    this.panels = {
      bounds: panel("Bounds on log p(x)", 250, true),
      weights: panel("Weights of one held-out datapoint", 200),
      kl: panel("What each latent carries", 200),
      latents: panel("Latent plane", 320),
      pictures: panel("Data and model", 320),
    };
    this.observer = new ResizeObserver(() => this.paint());
    this.observer.observe(this.root);
    this.theme = new MutationObserver(() => this.paint());
    this.theme.observe(parent, { attributes: true, subtree: false });
    this.parent = parent;
    this.painted = 0;
    this.forget();
  }

  forget() {
    this.since = -1;
    this.generation = 0;
    this.steps = [];
    this.heldOut = [];
    this.frame = null;
    this.probe = null;
    this.meta = null;
  }

  show(data) {
    const sameRun = this.data?.run_id === data.run_id;
    this.data = data;
    if (!sameRun) {
      this.forget();
      this.stop();
      this.running = true;
      this.observer.observe(this.root);
      this.loop((this.ticket = {}));
    } else {
      this.hurry?.();
    }
    this.paint();
  }

  stop() {
    this.running = false;
    this.ticket = null;
    this.observer.disconnect();
  }

  async loop(ticket) {
    while (this.running && this.ticket === ticket) {
      let pause = IDLE_MS;
      try {
        const query = `since=${this.since}&generation=${this.generation}`;
        const address = new URL(`live/${this.data.run_id}?${query}`, document.baseURI);
        const answer = await fetch(address, { cache: "no-store" });
        if (this.ticket !== ticket) return;
        if (answer.status === 404) return this.gone();
        if (answer.ok) {
          this.take(unpack(await answer.arrayBuffer()));
          this.paint();
          if (this.meta.mode === "playing") pause = PLAYING_MS;
        }
      } catch {
        pause = HIDDEN_MS; // the server is away: ask again later
      }
      if (document.hidden) pause = HIDDEN_MS;
      await new Promise((resolve) => {
        this.hurry = resolve;
        setTimeout(resolve, pause);
      });
    }
  }

  gone() {
    this.status.textContent =
      "This run has ended: nobody watched it for ten minutes. Reset starts it anew, same seed.";
    this.root.dataset.mode = "gone";
  }

  take({ meta, arrays }) {
    if (meta.generation !== this.generation) this.forget();
    this.generation = meta.generation;
    this.meta = meta;
    append(this.steps, arrays.steps);
    append(this.heldOut, arrays.held_out);
    if (arrays.labels) {
      this.probe = {
        labels: Array.from(arrays.labels.values),
        originals: arrays.originals.values,
        class_names: meta.class_names,
        image_shape: meta.image_shape,
      };
    }
    if (arrays.glance_steps) {
      const last = arrays.glance_steps.values.length - 1;
      const part = ({ shape, values }) => ({ values: values.slice((last * values.length) / shape[0]) });
      const arrived = Object.fromEntries(GLANCE.map((name) => [name, part(arrays[name])]));
      const bytes = ({ values }) => ({ values: values instanceof Uint8Array ? Array.from(values, (v) => v / 255) : values });
      const images = arrays.samples
        ? { samples: bytes(arrays.samples), reconstructions: bytes(arrays.reconstructions) }
        : {};
      this.frame = {
        axes: arrived.axes.values,
        arrays: { ...this.frame?.arrays, ...images, ...arrived, latents: arrived.means },
      };
    }
    // Only what has arrived counts: a run that is still to begin says "step 0" without a frame.
    this.since = Math.max(this.since, this.steps.at(-1)?.[0] ?? -1, arrays.glance_steps?.values.at(-1) ?? -1);
  }

  paint() {
    if (!this.data || this.root.clientWidth === 0) return;
    const mode = isDark(this.parent) ? "dark" : "light";
    this.tones = { ...roles[mode], text: text[mode], muted: muted[mode], grid: grid[mode], mode };
    this.paintStatus();
    this.paintBounds();
    if (this.frame && this.probe) {
      this.paintWeights();
      this.paintKl();
      this.paintLatents();
      this.paintPictures();
    }
    this.root.dataset.painted = String(++this.painted); // tests and benchmarks read these
    this.root.dataset.step = String(this.meta?.step ?? -1);
    this.root.dataset.mode = this.meta?.mode ?? "starting";
    this.root.dataset.samples = String(this.meta?.n_samples ?? 0);
    this.root.dataset.held = String(this.heldOut.at(-1)?.[3] ?? "");
  }

  paintStatus() {
    if (!this.meta) {
      this.status.textContent = "Starting …";
      return;
    }
    const { mode, step, steps_per_second: speed, n_samples: K, cause } = this.meta;
    const parts = [
      { playing: "Training", paused: "Paused", stopped: "Stopped" }[mode],
      `step ${step}`,
      `K = ${K}`,
    ];
    if (speed) parts.push(`${Math.round(speed)} steps/s`);
    const last = this.heldOut.at(-1);
    if (last) {
      parts.push(`L₁ = ${plot.minus(last[1].toFixed(2))}`, `L₆₄ = ${plot.minus(last[3].toFixed(2))} nats`);
    }
    if (cause) parts.push(cause);
    const line = parts.join(" · ");
    if (this.status.textContent !== line) this.status.textContent = line;
  }

  paintBounds() {
    const { canvas } = this.panels.bounds;
    const surface = plot.begin(canvas);
    const { pen } = surface;
    const { tones, heldOut } = this;
    const steps = this.steps.length > 3 ? smooth(this.steps) : this.steps;
    const late = heldOut.length > 8 ? heldOut.slice(Math.floor(heldOut.length / 50)) : heldOut;
    const shown = [...late.flatMap(([, one, , many]) => [one, many]), ...steps.slice(-Math.ceil(steps.length * 0.9)).map((row) => row[1])];
    const last = Math.max(10, this.steps.at(-1)?.[0] ?? 0);
    const frame = plot.axes(surface, {
      x: [0, last], y: plot.extent(shown, 0.08), tones, xLabel: "training step", yLabel: "nats per datapoint",
    });
    pen.save();
    pen.beginPath();
    pen.rect(frame.box.left, frame.box.top - 4, frame.box.right - frame.box.left, frame.box.bottom - frame.box.top + 4);
    pen.clip();
    if (heldOut.length > 1) {
      pen.beginPath();
      heldOut.forEach(([step, one], i) => pen[i ? "lineTo" : "moveTo"](frame.toX(step), frame.toY(one)));
      [...heldOut].reverse().forEach(([step, , , many]) => pen.lineTo(frame.toX(step), frame.toY(many)));
      pen.globalAlpha = 0.15;
      pen.fillStyle = tones.bound;
      pen.fill();
      pen.globalAlpha = 1;
    }
    plot.line(pen, frame, steps, { color: tones.muted, width: 1.2, alpha: 0.7 });
    plot.line(pen, frame, heldOut.map(([s, one]) => [s, one]), { color: tones.proposal, dash: [7, 4] });
    plot.line(pen, frame, heldOut.map(([s, , , many]) => [s, many]), { color: tones.bound, width: 2.5 });
    pen.restore();
    legend(pen, frame.box, tones, [
      { name: "held-out L₆₄", color: tones.bound, width: 2.5 },
      { name: "held-out L₁ (ELBO)", color: tones.proposal, dash: [7, 4], width: 2 },
      { name: `training: ${this.data.objective_title}`, color: tones.muted, width: 1.2 },
    ]);
  }

  paintWeights() {
    const { canvas, heading } = this.panels.weights;
    const logW = this.frame.arrays.log_w.values;
    const shares = normalize(logW).sort((a, b) => b - a);
    const size = ess(logW);
    heading.textContent = `Weights of one held-out datapoint: ${size.toFixed(1)} of ${logW.length} samples count`;
    const surface = plot.begin(canvas);
    const { pen } = surface;
    const frame = plot.axes(surface, {
      x: [0, shares.length], y: [0, Math.max(2 / shares.length, shares[0] * 1.05)],
      tones: this.tones, xLabel: "sample, heaviest first", yLabel: "normalized weight",
    });
    const width = (frame.box.right - frame.box.left) / shares.length;
    pen.fillStyle = this.tones.weights;
    shares.forEach((share, i) => {
      const top = frame.toY(share);
      pen.fillRect(frame.toX(i) + 0.5, top, Math.max(1, width - 1), frame.box.bottom - top);
    });
    pen.strokeStyle = this.tones.text;
    pen.setLineDash([4, 4]);
    const even = frame.toY(1 / shares.length);
    plot.segment(pen, frame.box.left, even, frame.box.right, even);
    pen.setLineDash([]);
    pen.fillStyle = this.tones.muted;
    pen.textAlign = "right";
    pen.textBaseline = "bottom";
    pen.fillText(`equal: 1/${shares.length}`, frame.box.right - 2, even - 2);
  }

  paintKl() {
    const { canvas, heading } = this.panels.kl;
    const kl = this.frame.arrays.kl_per_dim.values;
    const active = this.frame.arrays.active.values;
    const count = active.reduce((sum, flag) => sum + flag, 0);
    heading.textContent = `What each latent carries: ${count} of ${kl.length} active`;
    const surface = plot.begin(canvas);
    const { pen } = surface;
    const frame = plot.axes(surface, {
      x: [0.5, kl.length + 0.5], y: [0, Math.max(0.5, ...kl) * 1.1],
      xTicks: whole(kl.length, surface.width < 360 ? 5 : 10), tones: this.tones, xLabel: "latent", yLabel: "KL(q ‖ prior), nats",
    });
    const room = (frame.box.right - frame.box.left) / kl.length;
    kl.forEach((value, i) => {
      const [left, top] = [frame.toX(i + 1) - 0.38 * room, frame.toY(value)];
      const bar = [left, top, 0.76 * room, Math.max(1, frame.box.bottom - top)];
      pen.fillStyle = pen.strokeStyle = this.tones.proposal;
      // Inactive latents are hollow, so that color is not the only sign.
      if (active[i]) pen.fillRect(...bar);
      else pen.strokeRect(...bar);
    });
  }

  paintLatents() {
    const { canvas, heading } = this.panels.latents;
    const [first, second] = this.frame.axes;
    heading.textContent = `Latent plane: posterior means on z${sub(first + 1)} and z${sub(second + 1)}`;
    const points = this.frame.arrays.latents.values;
    const surface = plot.begin(canvas);
    const reach = Math.max(2.5, ...points.map(Math.abs)) * 1.05;
    const across = reach * wider(surface);
    const frame = plot.axes(surface, {
      x: [-across, across], y: [-reach, reach], tones: this.tones, xLabel: `z${sub(first + 1)}`, yLabel: `z${sub(second + 1)}`,
    });
    const { pen } = surface;
    pen.strokeStyle = this.tones.prior;
    pen.setLineDash([2, 4]);
    for (const radius of [1, 2]) {
      pen.beginPath();
      pen.ellipse(frame.toX(0), frame.toY(0), Math.abs(frame.toX(radius) - frame.toX(0)),
        Math.abs(frame.toY(radius) - frame.toY(0)), 0, 0, 2 * Math.PI);
      pen.stroke();
    }
    pen.setLineDash([]);
    this.marks(pen, frame, points, this.probe.labels);
  }

  // One mark per datapoint: a digit is drawn as its own numeral, so that hue is never alone.
  marks(pen, frame, points, labels) {
    const numerals = this.probe.class_names.every((name) => name.length === 1);
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.font = "bold 11px sans-serif";
    labels.forEach((label, i) => {
      const [x, y] = [frame.toX(points[2 * i]), frame.toY(points[2 * i + 1])];
      pen.fillStyle = categories[label % categories.length];
      if (numerals && this.probe.class_names.length > 1) pen.fillText(this.probe.class_names[label], x, y);
      else shape(pen, label, x, y, 3.4);
    });
  }

  paintPictures() {
    const { canvas, heading } = this.panels.pictures;
    const surface = plot.begin(canvas);
    if (this.probe.image_shape) {
      heading.textContent = "Held-out data, their reconstructions, and samples from the model";
      this.paintImages(surface);
    } else {
      heading.textContent = "Held-out data (gray) and samples from the model";
      this.paintCloud(surface);
    }
  }

  paintImages({ pen, width, height }) {
    const rows = [
      ["data", this.probe.originals],
      ["reconstruction", this.frame.arrays.reconstructions.values],
      ["sample", this.frame.arrays.samples.values],
    ];
    const pixels = this.probe.image_shape[0] * this.probe.image_shape[1];
    const count = Math.min(10, this.probe.originals.length / pixels);
    const columns = width < 560 ? Math.ceil(count / 2) : count;
    const side = Math.min((width - 4 * (columns - 1)) / columns, (height - 72) / 3);
    pen.textBaseline = "top";
    pen.textAlign = "left";
    rows.forEach(([name, values], row) => {
      const top = row * (side + 24);
      pen.fillStyle = this.tones.muted;
      pen.fillText(name, 0, top + 2);
      for (let i = 0; i < columns; i++) {
        const part = values.slice(i * pixels, (i + 1) * pixels);
        plot.image(pen, part, this.probe.image_shape, i * (side + 4), top + 20, side, this.tones.mode === "dark");
      }
    });
  }

  paintCloud(surface) {
    const data = this.probe.originals;
    const samples = this.frame.arrays.samples.values;
    const reach = Math.max(...data.map(Math.abs), 1) * 1.1;
    const across = reach * wider(surface);
    const frame = plot.axes(surface, {
      x: [-across, across], y: [-reach, reach], tones: this.tones, xLabel: "x₁", yLabel: "x₂",
    });
    const { pen } = surface;
    pen.fillStyle = this.tones.muted;
    pen.globalAlpha = 0.6;
    for (let i = 0; i < data.length; i += 2) disc(pen, frame.toX(data[i]), frame.toY(data[i + 1]), 2.4);
    pen.globalAlpha = 1;
    pen.strokeStyle = this.tones.target;
    pen.lineWidth = 1.4;
    for (let i = 0; i < samples.length; i += 2) {
      const [x, y] = [frame.toX(samples[i]), frame.toY(samples[i + 1])];
      plot.segment(pen, x - 3, y, x + 3, y);
      plot.segment(pen, x, y - 3, x, y + 3);
    }
  }
}

function element(parent, tag, className = "") {
  const node = document.createElement(tag);
  node.className = className;
  parent.append(node);
  return node;
}

function append(rows, { shape: [count, columns], values }) {
  for (let i = 0; i < count; i++) rows.push(Array.from(values.subarray(i * columns, (i + 1) * columns)));
  if (rows.length > 20000) rows.splice(0, rows.length, ...rows.filter((_, i) => i % 2 === 1));
}

// About 300 points, each the mean of its neighbours: a batch's bound jumps by a nat.
function smooth(rows) {
  const group = Math.max(1, Math.floor(rows.length / 300));
  const points = [];
  for (let i = 0; i + group <= rows.length; i += group) {
    const part = rows.slice(i, i + group);
    points.push([part.at(-1)[0], part.reduce((sum, row) => sum + row[1], 0) / group]);
  }
  return points;
}

function legend(pen, box, tones, entries) {
  pen.textBaseline = "middle";
  pen.textAlign = "left";
  const wide = Math.max(...entries.map(({ name }) => pen.measureText(name).width)) + 34;
  const [left, top] = [box.right - wide - 6, box.bottom - 18 * entries.length - 8];
  pen.globalAlpha = 0.85;
  pen.fillStyle = tones.mode === "dark" ? "#0E1117" : "#FFFFFF";
  pen.fillRect(left - 4, top, wide + 8, 18 * entries.length + 2);
  pen.globalAlpha = 1;
  entries.forEach(({ name, color, dash = [], width }, i) => {
    const y = top + 10 + 18 * i;
    pen.strokeStyle = color;
    pen.lineWidth = width;
    pen.setLineDash(dash);
    plot.segment(pen, left, y, left + 26, y);
    pen.setLineDash([]);
    pen.fillStyle = tones.text;
    pen.fillText(name, left + 34, y);
  });
}

// How much more of x than of y fits if one unit is to look the same on both axes.
const wider = ({ width, height }) => Math.max(1, (width - 45) / (height - 60));

function disc(pen, x, y, radius) {
  pen.beginPath();
  pen.arc(x, y, radius, 0, 2 * Math.PI);
  pen.fill();
}

// A class has a shape as well as a color: disc, square, triangle, cross.
function shape(pen, label, x, y, radius) {
  if (label % 4 === 0) return disc(pen, x, y, radius);
  if (label % 4 === 1) return pen.fillRect(x - radius, y - radius, 2 * radius, 2 * radius);
  if (label % 4 === 2) {
    pen.beginPath();
    pen.moveTo(x, y - radius * 1.3);
    pen.lineTo(x + radius * 1.2, y + radius);
    pen.lineTo(x - radius * 1.2, y + radius);
    return pen.fill();
  }
  pen.strokeStyle = pen.fillStyle;
  pen.lineWidth = 2;
  plot.segment(pen, x - radius, y - radius, x + radius, y + radius);
  return plot.segment(pen, x - radius, y + radius, x + radius, y - radius);
}

// Whole numbers 1 .. count, at most about `most` of them.
function whole(count, most) {
  const step = Math.ceil(count / most);
  return Array.from({ length: Math.ceil(count / step) }, (_, i) => [1 + i * step, String(1 + i * step)]);
}

const sub = (number) => String(number).replace(/\d/g, (digit) => "₀₁₂₃₄₅₆₇₈₉"[digit]);
