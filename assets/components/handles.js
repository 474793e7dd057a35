// Handles to drag: real elements over the canvas, so that pointer, touch, keyboard and screen readers
// all find them. 44 px to hit, 18 px to see.

const IDLE_MS = 60; // a pause in key presses is a release; a key held down comes every 30 ms
const COARSE = 10;
const KEYS = {
  ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: COARSE, PageDown: -COARSE,
};

export class Handles {
  constructor(stage, { drag, nudge, release }) {
    Object.assign(this, { stage, drag, nudge, release, busy: false, timer: 0 });
    this.knobs = new Map(); // name -> element
  }

  // Put every handle where the scene says; one that the scene no longer names goes away.
  place(handles) {
    const named = new Set(handles.map((handle) => handle.name));
    for (const [name, knob] of this.knobs) {
      if (!named.has(name)) {
        knob.remove();
        this.knobs.delete(name);
      }
    }
    for (const handle of handles) {
      const knob = this.knobs.get(handle.name) ?? this.make(handle.name);
      knob.style.transform = `translate(${handle.x - 22}px, ${handle.y - 22}px)`;
      knob.style.setProperty("--knob", `var(--lab-${handle.tone ?? "proposal"})`);
      knob.dataset.shape = handle.shape ?? "round";
      const said = {
        "aria-label": handle.label,
        "aria-valuenow": handle.value,
        "aria-valuemin": handle.low,
        "aria-valuemax": handle.high,
        "aria-valuetext": handle.text,
      };
      for (const [name, value] of Object.entries(said)) {
        if (knob.getAttribute(name) !== String(value)) knob.setAttribute(name, value);
      }
    }
  }

  make(name) {
    const knob = document.createElement("div");
    knob.className = "lab-knob";
    knob.tabIndex = 0;
    knob.setAttribute("role", "slider");
    knob.dataset.name = name;
    knob.addEventListener("pointerdown", (event) => this.grab(event, name, knob));
    knob.addEventListener("keydown", (event) => this.key(event, name));
    knob.addEventListener("blur", () => this.settle());
    this.stage.append(knob);
    this.knobs.set(name, knob);
    return knob;
  }

  grab(event, name, knob) {
    if (event.button !== 0) return;
    event.preventDefault();
    knob.focus({ preventScroll: true });
    knob.setPointerCapture(event.pointerId);
    // The knob keeps its place under the finger: what is dragged is its center.
    const knobBox = knob.getBoundingClientRect();
    const dx = event.clientX - (knobBox.left + 22);
    const dy = event.clientY - (knobBox.top + 22);
    this.busy = true;
    knob.dataset.held = "1";
    const box = this.stage.getBoundingClientRect(); // asked once: each question costs a layout
    const move = (moved) => {
      this.drag(name, { x: moved.clientX - dx - box.left, y: moved.clientY - dy - box.top });
    };
    const end = () => {
      knob.removeEventListener("pointermove", move);
      knob.removeEventListener("pointerup", end);
      knob.removeEventListener("pointercancel", end);
      delete knob.dataset.held;
      this.busy = false;
      this.release();
    };
    knob.addEventListener("pointermove", move);
    knob.addEventListener("pointerup", end);
    knob.addEventListener("pointercancel", end);
  }

  key(event, name) {
    const step = KEYS[event.key];
    if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    this.nudge(name, event.shiftKey ? Math.sign(step) * COARSE : step);
    this.later();
  }

  // Release when no key has come for a while.
  later() {
    this.busy = true;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.settle(), IDLE_MS);
  }

  settle() {
    if (!this.timer) return;
    clearTimeout(this.timer);
    this.timer = 0;
    this.busy = false;
    this.release(true);
  }

  remove() {
    clearTimeout(this.timer);
    this.knobs.clear();
  }
}
