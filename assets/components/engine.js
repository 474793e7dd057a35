// One draggable picture. Python sends a message (iwae_core/ui/canvas.py): the state of the page's
// fields, seeded noise, exact values. The browser draws at display rate while something is dragged;
// on release the state goes back, Python computes the exact report and the address follows.
//
// A scene is a module with these functions, none of which keeps anything:
//   decode(meta, arrays, before) -> model  once for each message; `before` is the last model
//   compute(state, model) -> numbers       every formula; once for each state
//   height(width) -> px                    of the canvas
//   layout(size, state, numbers, model) -> view      where things are
//   draw(pen, { view, state, numbers, model, tones, mark })
// and, as far as it has them,
//   handles(context) -> [{ name, label, x, y, value, low, high, text, tone, shape }]
//   drag(name, point, context) -> state    point in CSS px of the canvas
//   nudge(name, steps, context) -> state   steps: 1 fine, 10 coarse, negative to the left or down
//   click(point, context) -> state | null
//   paint(from, to, context) -> state | null       a stroke over the canvas, where the scene takes one
//   paintKey(key, context) -> state | null         the same by arrow keys, with the canvas in focus
//   paints(context) -> whether it takes strokes now
//   pad(context) -> { left, top, width, height, label }       where strokes go, if not everywhere: on a
//                             phone the page scrolls beside it
//   paintSays(context) -> what a key did, for those who do not see it
//   glide(state) -> number, which `context.place` follows with an ease instead of jumping: at leisure
//                             where a button of the scene takes the step, at once where a hand does
//   formula(context) -> [{ symbol, value, term, role }]       live numbers below their symbols
//   cards(context) -> [{ label, value, note, help }]
//   buttons(context) -> [{ name, label, pressed }],  press(name, context) -> state
//   next(state, context) -> state | null   for a scene that can be played: PLAY_MS after this state.
//                             A button named "play" starts and ends it; `playing` in a context says
//                             so. first(state, context) -> state where it starts once it is at its end
//   says(context) -> what changed, for those who do not see it
//   table(context) -> rows of the data, for the download
//   ENTRANCE_MS, while which draw sees `entered` go from 0 to 1 after the first paint
// `mark` is the term of the formula under the pointer; `fresh` in a context says that the exact
// report of the message belongs to the state on screen.
//
// The section says what it shows: data-settled holds the number of the newest message once that is
// painted, its state is reached, and nothing is held, eased or waited for; until then it is absent.
// data-reported is the number of the newest message whose exact report has been painted.

import { Easel } from "./easel.js";
import { offer } from "./exports.js";
import { Handles } from "./handles.js";
import { Player } from "./playing.js";
import { begin, setHeight, surface } from "./plot.js";
import { Buttons, Cards, Formula, element } from "./readouts.js";
import { between, same } from "./states.js";
import { dress, tones } from "./tones.js";
import { unpack } from "./wire.js";

const PLAY = "play"; // the button that plays
const EASE_MS = 100; // at most
const AT_REST_MS = 205; // after a control's release nothing eases any more, however late its answer comes
const LEISURE_MS = 520; // a step that the scene itself shows
const KEYS_MS = 500; // keys that follow each other sooner are one step of Ctrl+Z
const MOST_UNDONE = 100; // steps that Ctrl+Z takes back
const stages = new WeakMap(); // parentElement -> Stage
let received = 0; // messages to all scenes of the document
let released = -Infinity; // when a hand last let go of anything on the page
for (const kind of ["keyup", "pointerup"]) {
  addEventListener(kind, () => (released = performance.now()), { capture: true, passive: true });
}

export default function show({ parentElement, data, setStateValue }, scene) {
  const stage = stages.get(parentElement) ?? new Stage(parentElement, scene);
  stages.set(parentElement, stage);
  stage.receive(unpack(data), setStateValue);
  return () => {
    stage.remove();
    stages.delete(parentElement);
  };
}

// How long what an answer moves may take on its way: what is left since the release.
const easing = () => Math.max(0, Math.min(EASE_MS, released + AT_REST_MS - performance.now()));

// How far such a way has come, from 0 to 1; a frame may be older than what it shows.
const share = (now, { began, lasts }) => (lasts > 0 && !still() ? Math.max(0, Math.min(1, (now - began) / lasts)) : 1);
const smooth = (part) => part * part * (3 - 2 * part);

export const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

class Stage {
  constructor(parent, scene) {
    Object.assign(this, { parent, scene, mark: null, history: [], frame: 0, pace: EASE_MS, keyed: -Infinity });
    this.root = element(parent, "section", "lab-scene");
    this.formula = new Formula(this.root, (term) => this.highlight(term));
    const box = element(this.root, "div", "lab-stage");
    this.canvas = surface(box, 100, "");
    this.canvas.drawn = 0; // benchmarks count these
    this.handles = new Handles(box, {
      drag: (name, point) => this.set(scene.drag(name, point, this.context())),
      nudge: (name, steps) => this.set(scene.nudge(name, steps, this.context())),
      release: (byKeys) => this.release(byKeys),
    });
    if (scene.click) this.canvas.addEventListener("click", (event) => this.click(event));
    if (scene.paint) this.easel = new Easel(scene.pad ? element(box, "div", "lab-pad") : this.canvas, this);
    if (scene.next) this.player = new Player(this);
    this.buttons = new Buttons(this.root, (name) => {
      if (name === PLAY) return this.player.toggle();
      this.set(scene.press(name, this.context()));
      this.pace = LEISURE_MS;
      this.release();
    });
    this.cards = new Cards(this.root);
    this.voice = element(this.root, "p", "lab-quiet");
    this.voice.setAttribute("aria-live", "polite");
    this.tools();
    this.root.addEventListener("keydown", (event) => {
      if ((event.ctrlKey || event.metaKey) && event.key === "z") this.undo(event);
    });
    // What changes its height only, as a longer text below it does, leaves the picture alone.
    this.observer = new ResizeObserver(() => this.canvas.clientWidth !== this.width && this.invalidate());
    this.observer.observe(this.root);
  }

  tools() {
    const row = element(this.root, "p", "lab-tools");
    if (this.scene.handles) {
      const hint = element(row, "span");
      hint.textContent = "Drag a handle, or focus it and use the arrow keys (Shift: coarse, Ctrl+Z: undo).";
    }
    if (this.scene.handles || this.scene.paint) {
      this.back = element(row, "button");
      this.back.type = "button";
      this.back.textContent = "Undo";
      this.back.addEventListener("click", () => this.undo());
    }
    offer(row, () => this.picture(), Boolean(this.scene.table));
  }

  // What is saved of it.
  picture() {
    const worn = tones(this.parent);
    const panel = { canvas: this.canvas, paint: (canvas) => this.trace(begin(canvas), worn, 1) };
    return { name: this.meta.name, about: this.meta.alt, tones: worn, panels: [panel], rows: this.scene.table?.(this.context()) };
  }

  receive({ meta, arrays }, send) {
    const first = !this.meta;
    this.send = send;
    this.meta = meta;
    this.number = received += 1;
    this.model = this.scene.decode(meta, arrays, this.model);
    this.sent ??= meta.echo;
    this.canvas.setAttribute("aria-label", meta.alt);
    // An answer to an earlier state than the one on screen brings its report, not its state.
    const late = meta.echo < this.sent || this.handles.busy;
    if (first) this.state = { ...meta.state };
    else if (!late) this.adopt(meta.state);
    this.changed();
    if (!first && this.fresh()) this.voice.textContent = this.scene.says?.(this.context()) ?? "";
  }

  adopt(target) {
    if (same(this.state, target)) return;
    const start = this.state;
    const way = { began: performance.now(), lasts: easing() };
    this.pace = way.lasts;
    this.state = { ...target };
    this.tween = null;
    if (same(between(start, target, 0.5), target)) return; // nothing lies between, as from K to K
    this.tween = (now) => {
      const part = share(now, way);
      this.state = part < 1 ? between(start, target, smooth(part)) : { ...target };
      if (part === 1) this.tween = null;
      this.numbers = null;
    };
  }

  fresh() {
    return same(this.state, this.meta.state);
  }

  context() {
    const { state, model, view, mark, place } = this;
    this.numbers ??= this.scene.compute(state, model);
    return { state, numbers: this.numbers, model, view, mark, place, fresh: this.fresh(), playing: this.player?.on };
  }

  set(state) {
    if (!state || same(state, this.state)) return;
    this.pace = EASE_MS;
    this.tween = null;
    this.state = state;
    this.changed();
  }

  changed() {
    this.numbers = null;
    this.invalidate();
  }

  highlight(term) {
    this.mark = term;
    this.invalidate();
  }

  click(event) {
    const state = this.scene.click({ x: event.offsetX, y: event.offsetY }, this.context());
    if (!state) return;
    this.set(state);
    this.release();
  }

  release(byKeys = false) {
    this.invalidate();
    if (same(this.state, this.meta.state)) return;
    const now = performance.now();
    const goesOn = byKeys && now - this.keyed < KEYS_MS;
    this.keyed = byKeys ? now : -Infinity;
    if (!goesOn) this.history.push({ ...this.meta.state });
    if (this.history.length > MOST_UNDONE) this.history.shift();
    this.tell();
  }

  undo(event) {
    const last = this.history.pop();
    if (!last) return;
    event?.preventDefault();
    this.keyed = -Infinity;
    this.set(last);
    this.tell();
  }

  tell() {
    this.sent += 1;
    this.invalidate();
    this.send("state", { ...this.state, sent: this.sent });
  }

  invalidate() {
    delete this.root.dataset.settled;
    this.frame ||= requestAnimationFrame((now) => this.paint(now));
  }

  paint(now) {
    this.frame = 0;
    const width = this.canvas.clientWidth;
    if (!this.meta || width === 0) return;
    this.width = width;
    this.tween?.(now);
    if (this.scene.glide) this.follow(this.scene.glide(this.state), now);
    this.arrived ??= now;
    const entered = this.scene.ENTRANCE_MS && !still()
      ? Math.min(1, (now - this.arrived) / this.scene.ENTRANCE_MS)
      : 1;
    const height = this.scene.height(width, this.model);
    if (this.canvas.clientHeight !== height) setHeight(this.canvas, height);
    const worn = tones(this.parent);
    dress(this.root, worn.mode);
    const context = this.trace(begin(this.canvas), worn, entered);
    this.view = context.view;
    this.easel?.ready(this.scene.paints(context), this.scene.pad?.(context));
    if (this.back) this.back.disabled = this.history.length === 0;
    if (this.scene.handles) this.handles.place(this.scene.handles(context));
    if (this.scene.formula) this.formula.show(this.scene.formula(context));
    // What asks for no motion is not offered any: the scene's own steps remain.
    const offered = this.scene.buttons?.(context).filter(({ name }) => name !== PLAY || !still());
    if (offered) this.buttons.show(offered);
    if (this.scene.cards) this.cards.show(this.scene.cards(context), context.fresh);
    this.root.dataset.fresh = context.fresh;
    this.canvas.drawn += 1;
    this.root.dataset.painted = "1";
    if (entered < 1 || this.tween) this.invalidate();
    const awaited = this.handles.busy || this.meta.echo < this.sent;
    if (awaited || !context.fresh) return;
    this.root.dataset.reported = this.number;
    if (!this.frame) this.root.dataset.settled = this.number;
  }

  // Draw the scene on a sheet, and say in which context.
  trace(sheet, worn, entered) {
    const context = this.context();
    context.view = this.scene.layout(sheet, context.state, context.numbers, context.model);
    this.scene.draw(sheet.pen, { ...context, tones: worn, entered });
    return context;
  }

  // Bring `place` closer to where the state says; what still moves asks for another frame.
  follow(target, now) {
    if (target !== this.glides?.target) {
      this.glides = { start: this.place ?? target, target, began: now, lasts: this.pace };
    }
    const part = share(now, this.glides);
    this.place = part < 1 ? this.glides.start + smooth(part) * (target - this.glides.start) : target;
    if (this.place !== target) this.invalidate();
  }

  remove() {
    cancelAnimationFrame(this.frame);
    this.player?.end();
    this.observer.disconnect();
    this.handles.remove();
    this.root.remove();
  }
}
