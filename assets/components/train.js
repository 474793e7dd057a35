// The live picture of a training run and the buttons that drive it. The feed fetches, the film plays
// back, the transport asks, the panels draw; this file ties them together. What a person presses
// shows at once; the wish goes to Python as the component's state "commands", a list of numbered
// [number, what, value], of which Python obeys each once (iwae_core/ui/player.py).
// Streamlit calls `draw` at each change of data; the canvases and the loops stay.

import * as plot from "./plot.js";
import { element } from "./readouts.js";
import { dress, tones } from "./tones.js";
import { paintBounds, paintEss } from "./train_curves.js";
import { Feed } from "./train_feed.js";
import { paintKl, paintLatents, paintWeights } from "./train_latents.js";
import { paintManifold, paintPictures } from "./train_pictures.js";
import { Transport } from "./train_transport.js";
import { spoken, statusLine } from "./train_words.js";

const views = new WeakMap(); // parentElement -> View
const WISH_MS = 4000; // after which the server's word counts again
const KEPT_COMMANDS = 12;
const MOVING_MS = 25; // 40 pictures a second: what more would show is taken from training

export default function draw({ parentElement, data, setStateValue }) {
  const view = views.get(parentElement) ?? new View(parentElement);
  views.set(parentElement, view);
  view.show(data, setStateValue);
  return () => {
    view.remove();
    views.delete(parentElement);
  };
}

const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

// Name, title, height in px, painter, and what must be there before it can be painted.
const PANELS = [
  ["bounds", "Bounds on log p(x)", 280, paintBounds, "curves"],
  ["latents", "Latent plane", 330, paintLatents, "glance"],
  ["manifold", "Generated manifold", 330, paintManifold, "pictures"],
  ["pictures", "Data and model", 330, paintPictures, "pictures"],
  ["weights", "Weights of one held-out datapoint", 210, paintWeights, "glance"],
  ["ess", "Effective samples in training", 210, paintEss, "curves"],
  ["kl", "What each latent carries", 210, paintKl, "glance"],
];

class View {
  constructor(parent) {
    this.parent = parent;
    this.root = element(parent, "div", "lab-train");
    this.transport = new Transport(this.root, {
      ask: (what, value) => this.ask(what, value),
      seek: (step) => this.seek(step),
      live: () => this.live(),
    });
    this.status = element(this.root, "p", "lab-train-status");
    this.voice = element(this.root, "p", "lab-quiet");
    this.voice.setAttribute("role", "status");
    const grid = element(this.root, "div", "lab-train-panels");
    this.panels = PANELS.map(([name, title, height, paint, needs]) => {
      const figure = element(grid, "figure", name);
      const heading = element(figure, "figcaption");
      heading.textContent = title;
      return { name, figure, heading, canvas: plot.surface(figure, height, title), paint, needs, drawn: "" };
    });
    const hint = element(this.root, "p", "lab-hint");
    hint.textContent = "Space plays and pauses; on the bar, arrow keys look back and Escape returns.";
    this.feed = new Feed({ heard: () => this.heard(), gone: () => this.gone(), jumps: still });
    this.observer = new ResizeObserver(() => this.refresh());
    this.theme = new MutationObserver(() => this.refresh());
    this.onKey = (event) => this.key(event);
    document.addEventListener("keydown", this.onKey);
    this.commands = [];
    this.due = 0;
    this.frames = this.distinct = 0; // pictures painted, and those that showed another moment
    this.forget();
  }

  forget() {
    this.back = null; // the step looked back at
    this.moment = null; // what the server has of it
    this.wish = null; // { mode, until } that the server has not confirmed
    this.ended = false;
  }

  show(data, setStateValue) {
    const sameRun = this.data?.run_id === data.run_id;
    this.data = data;
    this.send = setStateValue;
    this.observer.observe(this.root);
    this.theme.observe(this.parent, { attributes: true, subtree: false });
    if (sameRun && this.feed.ticket) this.feed.hurry();
    else {
      this.forget();
      this.feed.watch(data.run_id);
    }
    this.refresh();
  }

  remove() {
    this.feed.stop();
    this.observer.disconnect();
    this.theme.disconnect();
    document.removeEventListener("keydown", this.onKey);
    cancelAnimationFrame(this.request);
    this.root.remove();
  }

  // What a person asks for ---------------------------------------------------------------------

  ask(what, value = null) {
    const number = Math.max(Date.now(), (this.commands.at(-1)?.[0] ?? 0) + 1);
    this.commands = [...this.commands, [number, what, value]].slice(-KEPT_COMMANDS);
    if (what === "play") this.wants("playing");
    if (what === "pause" || what === "step") this.wants("paused");
    if (what !== "pace") this.live();
    this.send("commands", { run: this.data.run_id, list: this.commands });
    this.refresh();
  }

  wants(mode) {
    this.wish = { mode, until: performance.now() + WISH_MS };
    if (mode === "paused") this.feed.film.freeze(this.drawn);
    else this.feed.film.thaw();
  }

  async seek(step) {
    this.back = step;
    this.refresh();
    if (this.seeking) return;
    this.seeking = true; // one question at a time; the last place counts
    try {
      for (let asked = null; this.back !== null && asked !== this.back; ) {
        asked = this.back;
        const moment = await this.feed.moment(asked);
        if (this.back !== null && moment) this.moment = moment;
        this.refresh();
      }
    } catch (fault) {
      if (!(fault instanceof TypeError)) throw fault; // the server is away
    } finally {
      this.seeking = false;
    }
  }

  live() {
    if (this.back === null) return;
    this.back = this.moment = null;
    this.refresh();
  }

  key(event) {
    const { target } = event;
    const inside = this.root.contains(target);
    if (event.key === "Escape" && inside) return this.live();
    const pressed = target.closest?.("button, select, [contenteditable]");
    if (event.key !== " " || pressed || !(inside || target === document.body)) return undefined;
    event.preventDefault();
    if (!this.stopped() && this.data.may_drive) this.ask(this.mode() === "playing" ? "pause" : "play");
    return undefined;
  }

  // What the server says ------------------------------------------------------------------------

  heard() {
    const { meta, film } = this.feed;
    const now = performance.now();
    if (this.wish && (meta.mode === this.wish.mode || meta.mode === "stopped" || now > this.wish.until)) {
      this.wish = null;
    }
    if (!this.wish && film.frozen) film.settle(now, still());
    this.transport.setPace(meta.pace);
    if (film.moving) this.wake();
    else this.refresh();
  }

  gone() {
    this.ended = true;
    this.status.textContent =
      "This run has ended: nobody watched it for ten minutes. Change a setting or reload the page to begin anew.";
    this.root.dataset.mode = "gone";
  }

  mode() {
    return this.wish?.mode ?? this.feed.meta?.mode ?? "starting";
  }

  stopped() {
    return this.ended || this.mode() === "stopped";
  }

  // Where the picture stands: the step looked back at, or the film's.
  step() {
    return this.back ?? Math.max(0, Math.round(this.feed.film.playhead));
  }

  // To those who do not see it: when something else begins, and the step where a run stands; not
  // thirty times a second.
  say(state, step) {
    const said = state === "playing" ? state : `${state} ${step}`;
    if (state === "settling" || said === this.said) return;
    this.said = said;
    this.voice.textContent = spoken(state, step, this.feed.meta?.cause);
  }

  // Drawing --------------------------------------------------------------------------------------

  // Draw all of it anew, in the next frame.
  refresh() {
    this.stale = true;
    this.wake();
  }

  wake() {
    this.request ??= requestAnimationFrame((now) => this.frame(now));
  }

  frame(now) {
    this.request = null;
    const moved = this.feed.film.advance(now) && this.back === null;
    if (this.stale || (moved && now >= this.due)) {
      this.due = Math.max(this.due + MOVING_MS, now - MOVING_MS);
      this.paint();
    }
    if (this.feed.film.moving) this.wake();
    else if (moved) this.refresh(); // the last of a movement is shown, and all panels of it
  }

  paint() {
    if (!this.data || this.ended || this.root.clientWidth === 0) return;
    const moving = !this.stale;
    this.stale = false;
    const { feed } = this;
    const worn = tones(this.parent);
    dress(this.root, worn.mode);
    const step = this.step();
    this.transport.show({
      playing: this.mode() === "playing",
      shown: step,
      last: Math.max(step, feed.meta?.step ?? 0),
      lookingBack: this.back !== null,
      stopped: this.stopped(),
      mayDrive: this.data.may_drive,
      mayFork: this.data.may_fork,
    });
    const seen = this.moment?.glance.step ?? step;
    const line = statusLine(feed, this.back === null ? this.mode() : "back", step, seen);
    if (this.status.textContent !== line) this.status.textContent = line;
    if (feed.meta) {
      this.paintPanels({
        feed, step, moving, tones: worn, back: this.back, title: this.data.objective_title, K: feed.meta.n_samples,
        glance: this.moment?.glance ?? feed.film.glance(),
        pictures: this.moment?.pictures ?? feed.pictures,
      });
    }
    this.tell(step);
  }

  paintPanels(view) {
    const ready = { curves: true, glance: view.glance && view.feed.probe, pictures: view.pictures && view.feed.probe };
    const size = `${this.root.clientWidth} ${window.devicePixelRatio} ${view.tones.mode} ${this.data.run_id}`;
    const manifold = Boolean(view.pictures?.manifold && view.feed.probe?.shape);
    this.root.dataset.manifold = manifold; // CSS makes room for it
    for (const panel of this.panels) {
      if (!ready[panel.needs] || (panel.name === "manifold" && !manifold)) continue;
      if (panel.needs === "curves" && view.moving && this.frames % 2) continue;
      if (panel.needs === "pictures") {
        const drawn = `${size} ${view.pictures.step} ${view.feed.generation} ${manifold}`;
        if (panel.drawn === drawn) continue;
        panel.drawn = drawn;
      }
      panel.paint(panel, view);
    }
    this.frames += 1;
    const drawn = this.feed.film.playhead;
    if (drawn !== this.drawn) this.distinct += 1;
    this.drawn = drawn;
  }

  // What tests and benchmarks read. A pause is told when the picture stands where the run stands.
  tell(step) {
    const { meta, film, heldOut } = this.feed;
    const whole = film.end >= (meta?.step ?? 0) || meta?.mode === "stopped";
    const settled = !this.wish && !film.frozen && film.playhead === film.end && whole;
    const mode = this.mode() === "playing" || settled ? this.mode() : "settling";
    this.say(this.back === null ? mode : "back", step);
    Object.assign(this.root.dataset, {
      painted: this.frames,
      step,
      mode,
      samples: meta?.n_samples ?? 0,
      held: heldOut.at(-1)?.[3] ?? "",
      distinct: this.distinct,
      glances: film.count,
      points: this.feed.steps.total,
      back: this.back ?? "",
      sight: this.moment?.glance.step ?? "",
      gliding: film.moving,
    });
  }
}
