// The live picture of a training run and the buttons that drive it. The feed fetches, the film plays
// back, the transport asks, the panels draw; this file ties them together. What a person presses
// shows at once; the wish goes to Python as the component's state "commands", a list of numbered
// [number, what, value], of which Python obeys each once (iwae_core/ui/player.py).
// Streamlit calls `draw` at each change of data; the canvases and the loops stay.

import { offer } from "./exports.js";
import { element } from "./readouts.js";
import { dress, tones } from "./tones.js";
import { Feed } from "./train_feed.js";
import { Panels } from "./train_panels.js";
import { Transport } from "./train_transport.js";
import { spoken, statusLine } from "./train_words.js";

const views = new WeakMap(); // parentElement -> View
const WISH_MS = 4000; // after which the server's word counts again
const KEPT_COMMANDS = 12;
const MOVING_MS = 30; // 33 pictures a second: what more would show is taken from training
const WORDS_EVERY = 4; // pictures in movement: nobody reads faster

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
    this.panels = new Panels(this.root);
    const tools = element(this.root, "p", "lab-tools");
    const hint = element(tools, "span");
    hint.textContent = "Space plays and pauses; on the bar, arrow keys look back and Escape returns.";
    offer(tools, () => this.panels.picture(`A training run. ${this.status.textContent}`), true);
    this.feed = new Feed({ heard: () => this.heard(), gone: () => this.gone(), jumps: still });
    this.observer = new ResizeObserver(() => this.refresh());
    this.theme = new MutationObserver(() => this.refresh());
    this.onKey = (event) => this.key(event);
    document.addEventListener("keydown", this.onKey);
    this.commands = [];
    this.number = 0; // of the last command
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
      this.askAgain(this.commands.filter(([number, what]) => number > data.heard && what !== "fork"));
    }
    this.refresh();
  }

  // What was pressed while this run was on its way reached the one before, which left it alone.
  askAgain(late) {
    this.commands = [];
    for (const [, what, value] of late) this.ask(what, value);
  }

  remove() {
    this.feed.stop();
    this.panels.remove();
    this.observer.disconnect();
    this.theme.disconnect();
    document.removeEventListener("keydown", this.onKey);
    cancelAnimationFrame(this.request);
    this.root.remove();
  }

  // What a person asks for ---------------------------------------------------------------------

  ask(what, value = null) {
    this.number = Math.max(Date.now(), this.number + 1);
    this.commands = [...this.commands, [this.number, what, value]].slice(-KEPT_COMMANDS);
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
      "This run has ended: nobody watched it for some minutes. Change a setting or reload the page to begin anew.";
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
    if (!moving || this.frames % WORDS_EVERY === 0) this.putInWords(step);
    // Who wants no motion sees the start, and the first steps when they are taken.
    const waits = still() && feed.meta?.opening_to != null && this.frames > 0;
    if (feed.meta && !waits) {
      this.panels.paint({
        feed, step, tones: worn, back: this.back, title: this.data.objective_title, K: feed.meta.n_samples,
        glance: this.moment?.glance ?? feed.film.glance(),
        pictures: this.moment?.pictures ?? feed.pictures,
        turn: moving ? this.frames : null,
      });
      this.frames += 1;
      if (feed.film.playhead !== this.drawn) this.distinct += 1;
      this.drawn = feed.film.playhead;
    }
    this.tell(step);
  }

  putInWords(step) {
    this.transport.show({
      playing: this.mode() === "playing",
      shown: step,
      last: Math.max(step, this.feed.meta?.step ?? 0),
      lookingBack: this.back !== null,
      stopped: this.stopped(),
      mayDrive: this.data.may_drive,
      mayFork: this.data.may_fork,
      limit: this.data.limit,
    });
    const seen = this.moment?.glance.step ?? step;
    const line = statusLine(this.feed, this.back === null ? this.mode() : "back", step, seen);
    if (this.status.textContent !== line) this.status.textContent = line;
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
