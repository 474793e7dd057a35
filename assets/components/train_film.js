// Plays glances back at display rate. They come in batches, a slice of training at a time; the
// playhead, a place between two steps, runs through a batch in about the time until the next one.
// So the picture lags a slice behind and never stands still while the run goes on.

const MOST_GLANCES = 300;
const SLOWEST_MS = 2500;
const QUICKEST_MS = 120;
const SETTLE_MS = 150;
const SPARE = 1.15; // better late than to arrive early and stand still

export class Film {
  constructor() {
    this.interval = 400;
    this.count = 0;
    this.clear();
  }

  clear() {
    this.glances = [];
    this.playhead = -1;
    this.stretch = null; // { from, to, began, ms } that the playhead runs through
    this.frozen = false;
    this.arrived = null;
  }

  get end() {
    return this.glances.at(-1)?.step ?? -1;
  }

  get moving() {
    return this.stretch !== null;
  }

  // New glances; with `jump` they are shown at once.
  add(glances, now, jump = false) {
    if (!glances.length) return;
    const first = !this.glances.length;
    this.count += glances.length;
    this.glances.push(...glances);
    if (this.glances.length > MOST_GLANCES) {
      // Nobody looks: a hidden tab draws no frames, and the playhead stands.
      this.glances.splice(0, this.glances.length - MOST_GLANCES);
      this.playhead = Math.max(this.playhead, this.glances[0].step);
    }
    if (this.arrived !== null) {
      const gap = Math.min(SLOWEST_MS, now - this.arrived);
      this.interval += 0.3 * (gap - this.interval);
    }
    this.arrived = now;
    if (first || jump) this.playhead = this.end;
    else if (!this.frozen) this.run(now, Math.max(QUICKEST_MS, this.interval * SPARE));
    this.forget();
  }

  run(now, ms) {
    this.stretch = { from: this.playhead, to: this.end, began: now, ms };
  }

  // Stand still, where the picture is: it may be a frame behind the playhead.
  freeze(at = this.playhead) {
    this.frozen = true;
    this.playhead = Math.min(at, this.playhead);
    this.stretch = null;
    this.arrived = null;
  }

  thaw() {
    this.frozen = false;
    this.arrived = null;
  }

  // Go to the last glance, where the run stands.
  settle(now, jump = false) {
    this.thaw();
    if (this.playhead === this.end) return;
    if (jump) this.playhead = this.end;
    else this.run(now, SETTLE_MS);
  }

  // Move the playhead; says whether it moved.
  advance(now) {
    if (!this.stretch) return false;
    const { from, to, began, ms } = this.stretch;
    const part = Math.max(0, Math.min(1, (now - began) / ms));
    this.playhead = part === 1 ? to : from + part * (to - from);
    if (part === 1) this.stretch = null;
    return true;
  }

  // What is to be seen at the playhead.
  glance() {
    const next = this.glances.findIndex(({ step }) => step >= this.playhead);
    const one = this.glances[Math.max(0, next - 1)];
    const other = this.glances[next < 0 ? this.glances.length - 1 : next];
    if (!one) return null;
    if (other.step <= this.playhead || one === other) return other;
    return mix(one, other, (this.playhead - one.step) / (other.step - one.step), this.playhead);
  }

  // Only what lies behind the playhead is over.
  forget() {
    const next = this.glances.findIndex(({ step }) => step >= this.playhead);
    if (next > 1) this.glances.splice(0, next - 1);
  }
}

// Between two glances; where the plane has turned to other latents there is nothing between.
export function mix(one, other, part, step) {
  if (String(one.axes) !== String(other.axes)) return one;
  const between = (name) => one[name].map((value, i) => value + part * (other[name][i] - value));
  return {
    step,
    axes: one.axes,
    active: part < 0.5 ? one.active : other.active,
    means: between("means"),
    scales: between("scales"),
    kl_per_dim: between("kl_per_dim"),
    log_w: between("log_w"),
  };
}

// The glances in a message, one object each.
export function glancesOf(arrays) {
  if (!arrays.glance_steps) return [];
  const names = ["axes", "means", "scales", "kl_per_dim", "active", "log_w"];
  return Array.from(arrays.glance_steps.values, (step, i) => {
    const parts = names.map((name) => {
      const { shape, values } = arrays[name];
      const size = values.length / shape[0];
      return [name, values.subarray(i * size, (i + 1) * size)];
    });
    return { step, ...Object.fromEntries(parts) };
  });
}
