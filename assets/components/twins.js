// The live picture of two runs in lock step: both on two rulers, the difference, both latent planes.
// Frames come from /twins-live/<id> in a loop that asks again only when the last answer is drawn.

import { offer } from "./exports.js";
import { surface } from "./plot.js";
import { element } from "./readouts.js";
import { dress, tones } from "./tones.js";
import { COLUMNS, STEP, paintApart, paintBounds, paintLatents } from "./twins_panels.js";
import { unpack } from "./wire.js";

const views = new WeakMap(); // parentElement -> View
const PLAYING_MS = 50;
const IDLE_MS = 350;
const AWAY_MS = 2000;
const MOST_ROWS = 8000;

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
    const panel = (paint, height, side = null) => {
      const figure = element(this.root, "figure", side === null ? "wide" : "");
      const heading = element(figure, "figcaption");
      return { paint, side, heading, canvas: surface(figure, height, "") };
    };
    this.panels = [
      panel(paintBounds, 260), panel(paintApart, 190), panel(paintLatents, 300, 0), panel(paintLatents, 300, 1),
    ];
    offer(element(this.root, "p", "lab-tools wide"), () => this.picture(), true);
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
      "This pair has ended: nobody watched it for some minutes. Reset starts it anew, same seed.";
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
    const view = this.view();
    for (const panel of this.ready()) {
      if (!waits || (view.covered && panel.side === null)) panel.paint(panel, view);
    }
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

  // Those panels that there is something to show on.
  ready() {
    return this.panels.filter(({ side }) => side === null || (this.looks && this.labels));
  }

  view() {
    const { rows, looks, labels, classes, tones: worn, data: { titles } } = this;
    return { rows, looks, labels, classes, titles, covered: this.covered(), tones: worn };
  }

  // What is saved of it; what is covered stays so.
  picture() {
    const view = this.view();
    const panels = this.ready().map((panel) => ({ ...panel, paint: (canvas) => panel.paint({ ...panel, canvas }, view) }));
    const about = panels.map(({ canvas }) => canvas.getAttribute("aria-label")).join(" ");
    return { name: "twins", about, tones: view.tones, panels, rows: [COLUMNS, ...(view.covered ? [] : this.rows)] };
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
}
