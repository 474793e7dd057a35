// The live picture of two runs in lock step: both on two rulers, the difference, both latent planes.
// Frames come from /twins-live/<id> in a loop that asks again only when the last answer is drawn.
// A is drawn with diamonds in the proposal's tone, B with squares in the bound's, on every panel.

import { fixed } from "./numbers.js";
import { axes, band, begin, extent, line, note, segment, surface } from "./plot.js";
import { element } from "./readouts.js";
import { categories } from "./theme.js";
import { dress, tones } from "./tones.js";
import { unpack } from "./wire.js";

const views = new WeakMap(); // parentElement -> View
const PLAYING_MS = 50;
const IDLE_MS = 350;
const AWAY_MS = 2000;
const MOST_ROWS = 8000;
const COVER = "Predict first, above, or press Play.";
// Columns of held_out, as iwae_core/runtime/twins.py lays them.
const STEP = 0, A_ONE = 1, A_MANY = 2, B_ONE = 3, B_MANY = 4, APART_ONE = 5, APART_MANY = 7;
const SIDES = [
  { name: "A", tone: "proposal", one: A_ONE, many: A_MANY, mark: diamond },
  { name: "B", tone: "bound", one: B_ONE, many: B_MANY, mark: square },
];

export default function draw({ parentElement, data, setStateValue }) {
  const view = views.get(parentElement) ?? new View(parentElement);
  views.set(parentElement, view);
  view.show(data, setStateValue);
  return () => {
    view.stop();
    views.delete(parentElement);
  };
}

const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

class View {
  constructor(parent) {
    this.parent = parent;
    this.root = element(parent, "div", "lab-pair");
    this.status = element(this.root, "p", "lab-pair-status");
    this.status.setAttribute("role", "status");
    const panel = (height, wide) => {
      const figure = element(this.root, "figure", wide ? "wide" : "");
      const heading = element(figure, "figcaption");
      return { heading, canvas: surface(figure, height, "") };
    };
    this.panels = {
      bounds: panel(260, true), apart: panel(190, true), latents: [panel(300), panel(300)],
    };
    this.observer = new ResizeObserver(() => this.paint());
    this.theme = new MutationObserver(() => this.paint());
    this.theme.observe(parent, { attributes: true, subtree: false });
    this.painted = 0;
    this.forget();
  }

  forget() {
    this.since = -1;
    this.generation = 0;
    this.rows = [];
    this.looks = null;
    this.labels = null;
    this.meta = null;
  }

  show(data, send) {
    const same = this.data?.run_id === data.run_id;
    Object.assign(this, { data, send, shownAt: performance.now() });
    if (same) {
      this.hurry?.();
    } else {
      this.forget();
      this.observer.observe(this.root);
      this.loop((this.ticket = {}));
    }
    this.paint();
  }

  stop() {
    this.ticket = null;
    this.observer.disconnect();
    this.theme.disconnect();
  }

  async loop(ticket) {
    while (this.ticket === ticket) {
      let pause = IDLE_MS;
      const askedAt = performance.now();
      try {
        // With the number of the last news the server waits for more, a second at most.
        const news = this.meta && !document.hidden ? `&news=${this.meta.news}` : "";
        const query = `since=${this.since}&generation=${this.generation}${news}`;
        const address = new URL(`twins-live/${this.data.run_id}?${query}`, document.baseURI);
        const answer = await fetch(address, { cache: "no-store" });
        if (this.ticket !== ticket) return;
        if (answer.status === 404) return this.gone();
        if (answer.ok) {
          this.take(unpack(await answer.arrayBuffer()));
          this.paint();
          if (askedAt > this.shownAt) this.tellMode();
          if (this.meta.mode === "playing") pause = PLAYING_MS;
        }
      } catch {
        pause = AWAY_MS; // the server is away: ask again later
      }
      if (document.hidden) pause = AWAY_MS;
      await new Promise((resolve) => {
        this.hurry = resolve;
        setTimeout(resolve, pause);
      });
    }
  }

  // The buttons are Python's: it draws them anew where the pair stands or plays by itself.
  tellMode() {
    const { mode, step, generation } = this.meta;
    if (mode !== this.data.mode) this.send("moved", `${mode} ${step} ${generation}`);
  }

  gone() {
    this.status.textContent =
      "This pair has ended: nobody watched it for ten minutes. Reset starts it anew, same seed.";
    this.root.dataset.mode = "gone";
  }

  take({ meta, arrays }) {
    if (meta.generation !== this.generation) this.forget();
    this.generation = meta.generation;
    this.meta = meta;
    const { shape: [count, columns], values } = arrays.held_out;
    for (let i = 0; i < count; i++) this.rows.push(Array.from(values.subarray(i * columns, (i + 1) * columns)));
    if (this.rows.length > MOST_ROWS) this.rows = this.rows.filter((_, i) => i % 2 === 1);
    if (arrays.labels) {
      this.labels = Array.from(arrays.labels.values);
      this.classes = meta.class_names;
    }
    if ("look_step" in meta) {
      this.looks = ["a", "b"].map((side) => ({
        axes: meta[`axes_${side}`], active: meta[`active_${side}`], points: arrays[`latents_${side}`].values,
      }));
    }
    // Only what has arrived counts: a pair that is still to begin says "step 0" without a look.
    this.since = Math.max(this.since, this.rows.at(-1)?.[STEP] ?? -1, meta.look_step ?? -1);
  }

  paint() {
    if (!this.data || this.root.clientWidth === 0) return;
    this.tones = tones(this.parent);
    dress(this.root, this.tones.mode);
    this.paintStatus();
    // Who wants no motion sees the start, and the first steps when they are taken.
    const waits = still() && this.meta?.opening_to != null && this.started;
    this.started = Boolean(this.looks);
    if (this.covered()) {
      this.cover("bounds", "Two rulers, held-out data");
      this.cover("apart", "B less A");
    } else if (!waits) {
      this.paintBounds();
      this.paintApart();
    }
    if (!waits && this.looks && this.labels) SIDES.forEach((side, i) => this.paintLatents(side, i));
    const last = this.rows.at(-1);
    Object.assign(this.root.dataset, { // tests and benchmarks read these
      painted: String(++this.painted), step: String(this.meta?.step ?? -1), mode: this.meta?.mode ?? "starting",
      covered: this.covered(), samples: (this.meta?.n_samples ?? []).join(), row: (last ?? []).join(),
    });
  }

  // Nobody has asked for the first steps: they must not give away what is to be predicted.
  covered() {
    return this.data.asks && this.meta !== null && !this.meta.asked_for;
  }

  cover(name, title) {
    const { heading, canvas } = this.panels[name];
    heading.textContent = title;
    const { pen, width, height } = begin(canvas);
    note(pen, COVER, width / 2, height / 2, { color: this.tones.muted, align: "center" });
    canvas.setAttribute("aria-label", `${title}. ${COVER}`);
  }

  paintStatus() {
    if (!this.meta) {
      this.status.textContent = "Starting …";
      return;
    }
    const { mode, step, steps_per_second: speed, cause, queue } = this.meta;
    const parts = [this.word(), `step ${step}`];
    if (speed) parts.push(`${Math.round(speed)} steps/s, by the slower one`);
    for (const more of [cause, queue]) if (more) parts.push(more);
    const text = parts.join(" · ");
    if (this.status.textContent !== text) this.status.textContent = text;
  }

  word() {
    const { mode, step, opening_to: opening, replaying_to: goal, asked_for: asked } = this.meta;
    if (goal !== null) return `Replaying to step ${goal}`;
    if (opening !== null) return `Both take their first ${opening} steps`;
    if (mode === "paused" && step && !asked) return "Paused after the first steps: Play goes on";
    return { playing: "Both train", paused: "Paused", stopped: "Stopped" }[mode];
  }

  // The first looks lie far below all others; later they would flatten what is to be seen.
  shown() {
    const late = this.rows.filter((row) => row[STEP] >= 0.12 * this.rows.at(-1)[STEP]);
    return late.length > 2 ? late : this.rows;
  }

  scale(sheet, columns, yLabel, more = []) {
    const values = [...this.shown().flatMap((row) => columns.map((column) => row[column])), ...more];
    const last = Math.max(10, this.rows.at(-1)?.[STEP] ?? 0);
    return axes(sheet, { x: [0, last], y: extent(values, 0.1), tones: this.tones, xLabel: "training step", yLabel });
  }

  paintBounds() {
    const { heading, canvas } = this.panels.bounds;
    heading.replaceChildren("Two rulers, held-out data: ", ...key(this.tones, this.data.titles));
    const sheet = begin(canvas);
    const scale = this.scale(sheet, [A_ONE, A_MANY, B_ONE, B_MANY], "nats per datapoint");
    inside(sheet.pen, scale.box, () => {
      for (const { tone, one, many } of SIDES) {
        line(sheet.pen, scale, this.column(one), { color: this.tones[tone], dash: [7, 4], width: 2 });
        line(sheet.pen, scale, this.column(many), { color: this.tones[tone], width: 2.5 });
      }
      const last = this.rows.at(-1);
      if (!last) return;
      for (const { tone, one, many, mark } of SIDES) {
        sheet.pen.fillStyle = this.tones[tone];
        for (const column of [one, many]) mark(sheet.pen, scale.toX(last[STEP]), scale.toY(last[column]), 5);
      }
    });
    const last = this.rows.at(-1);
    canvas.setAttribute("aria-label", last
      ? `Held-out bounds at step ${last[STEP]}: ${SIDES.map(({ name, one, many }) => `${name} has L_1 ${fixed(last[one])} and L_64 ${fixed(last[many])}`).join(", ")} nats.`
      : "Held-out bounds of both runs against the step.");
  }

  paintApart() {
    const { heading, canvas } = this.panels.apart;
    const last = this.rows.at(-1);
    const told = (column) => `${last[column] > 0 ? "+" : ""}${fixed(last[column])} ± ${fixed(last[column + 1])}`;
    heading.textContent = last
      ? `B less A at step ${last[STEP]}: L₆₄ ${told(APART_MANY)}, L₁ ${told(APART_ONE)} nats`
      : "B less A";
    const sheet = begin(canvas);
    const { pen } = sheet;
    const scale = this.scale(sheet, [APART_ONE, APART_MANY], "B less A, nats", [0]);
    const { box } = scale;
    const zero = scale.toY(0);
    pen.save();
    pen.globalAlpha = 0.1;
    pen.fillStyle = this.tones.bound;
    pen.fillRect(box.left, box.top, box.right - box.left, zero - box.top);
    pen.fillStyle = this.tones.proposal;
    pen.fillRect(box.left, zero, box.right - box.left, box.bottom - zero);
    pen.restore();
    inside(pen, box, () => {
      for (const [column, dash, width] of [[APART_ONE, [7, 4], 2], [APART_MANY, [], 2.5]]) {
        const edge = (sign) => this.rows.map((row) => [row[STEP], row[column] + 2 * sign * row[column + 1]]);
        band(pen, scale, edge(-1), edge(1), { color: this.tones.muted, alpha: 0.25 });
        line(pen, scale, this.column(column), { color: this.tones.text, dash, width });
      }
    });
    pen.strokeStyle = this.tones.text;
    pen.lineWidth = 1;
    segment(pen, box.left, zero, box.right, zero);
    const style = { halo: this.tones.background };
    if (zero - box.top > 18) note(pen, "B is better", box.left + 6, box.top + 14, { ...style, color: this.tones.bound });
    if (box.bottom - zero > 18) note(pen, "A is better", box.left + 6, box.bottom - 6, { ...style, color: this.tones.proposal });
    canvas.setAttribute("aria-label", last ? `${heading.textContent}; the band is two standard errors over the held-out data.` : "B less A against the step.");
  }

  column(at) {
    return this.rows.map((row) => [row[STEP], row[at]]);
  }

  paintLatents(side, index) {
    const { heading, canvas } = this.panels.latents[index];
    const { axes: [first, second], active: [active, all], points } = this.looks[index];
    heading.textContent = `Latent plane of ${side.name}: ${active} of ${all} units active`;
    const sheet = begin(canvas);
    const { pen } = sheet;
    // One scale for both, so that a wider cloud looks wider.
    const reach = Math.max(2.5, ...this.looks.flatMap((look) => Array.from(look.points, Math.abs))) * 1.05;
    const across = reach * Math.max(1, (sheet.width - 45) / (sheet.height - 60));
    const scale = axes(sheet, {
      x: [-across, across], y: [-reach, reach], tones: this.tones, xLabel: `z${sub(first + 1)}`, yLabel: `z${sub(second + 1)}`,
    });
    pen.strokeStyle = this.tones.prior;
    pen.setLineDash([2, 4]);
    for (const radius of [1, 2]) {
      pen.beginPath();
      pen.ellipse(scale.toX(0), scale.toY(0), scale.toX(radius) - scale.toX(0), scale.toY(0) - scale.toY(radius), 0, 0, 2 * Math.PI);
      pen.stroke();
    }
    pen.setLineDash([]);
    this.marks(pen, scale, points);
    pen.fillStyle = this.tones[side.tone];
    side.mark(pen, scale.box.right - 10, scale.box.top + 8, 6);
    canvas.setAttribute("aria-label", `${heading.textContent}; posterior means of ${this.labels.length} held-out datapoints.`);
  }

  // A digit is drawn as its own numeral, so that hue is never alone; other classes take four marks.
  marks(pen, scale, points) {
    const numerals = this.classes.length > 1 && this.classes.every((name) => name.length === 1);
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.font = "bold 11px sans-serif";
    this.labels.forEach((label, i) => {
      const [x, y] = [scale.toX(points[2 * i]), scale.toY(points[2 * i + 1])];
      pen.fillStyle = categories[label % categories.length];
      if (numerals) pen.fillText(this.classes[label], x, y);
      else [disc, square, diamond, cross][label % 4](pen, x, y, 3.4);
    });
  }
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

function inside(pen, box, paint) {
  pen.save();
  pen.beginPath();
  pen.rect(box.left, box.top - 4, box.right - box.left + 8, box.bottom - box.top + 4);
  pen.clip();
  paint();
  pen.restore();
}

function disc(pen, x, y, radius) {
  pen.beginPath();
  pen.arc(x, y, radius, 0, 2 * Math.PI);
  pen.fill();
}

function square(pen, x, y, radius) {
  pen.fillRect(x - radius, y - radius, 2 * radius, 2 * radius);
}

function diamond(pen, x, y, radius) {
  const reach = 1.3 * radius;
  pen.beginPath();
  pen.moveTo(x, y - reach);
  pen.lineTo(x + reach, y);
  pen.lineTo(x, y + reach);
  pen.lineTo(x - reach, y);
  pen.fill();
}

function cross(pen, x, y, radius) {
  pen.strokeStyle = pen.fillStyle;
  pen.lineWidth = 2;
  segment(pen, x - radius, y - radius, x + radius, y + radius);
  segment(pen, x - radius, y + radius, x + radius, y - radius);
}

const sub = (number) => String(number).replace(/\d/g, (digit) => "₀₁₂₃₄₅₆₇₈₉"[digit]);
