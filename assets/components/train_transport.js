// The buttons below a run: play and pause, single steps, start over, speed, and the bar on which one
// looks back. It says what was asked for; what then happens is the view's.

import { element } from "./readouts.js";

const SPEEDS = [1, 3, 10, 30, 100, 300, null]; // steps per second; null: as fast as it goes
const SIZES = [1, 10, 100];
const ICONS = {
  play: "M7 5v14l11-7z",
  pause: "M7 5h4v14H7zM13 5h4v14h-4z",
  step: "M6 5v14l9-7zM16 5h3v14h-3z",
  reset: "M12 5a7 7 0 1 1-6.3 4H3l4-5 4 5H8a5 5 0 1 0 4-2z",
};

export class Transport {
  // ask(what, value): "play", "pause", "step", "reset", "pace", "fork"; seek(step), live().
  constructor(parent, { ask, seek, live }) {
    const row = (this.row = element(parent, "div", "lab-transport"));
    this.main = button(row, "play", "Play", "primary", () => ask(this.playing ? "pause" : "play"));
    const steps = element(row, "div", "lab-step");
    this.step = button(steps, "step", "Step", "", () => ask("step", Number(this.size.value)));
    this.size = element(steps, "select");
    this.size.setAttribute("aria-label", "Steps at a press");
    for (const size of SIZES) element(this.size, "option").textContent = String(size);
    button(row, "reset", "Start over", "", () => ask("reset"));
    const speed = element(row, "label", "lab-speed");
    this.speedText = element(speed, "span");
    this.speed = slider(speed, "Speed", SPEEDS.length - 1);
    this.speed.value = SPEEDS.length - 1;
    this.speed.addEventListener("input", () => this.sayPace());
    this.speed.addEventListener("change", () => ask("pace", SPEEDS[this.speed.value]));
    this.sayPace();
    const film = element(parent, "div", "lab-film");
    this.bar = slider(film, "Step of the run to look at", 0);
    this.bar.addEventListener("input", () => seek(Number(this.bar.value)));
    this.place = element(film, "span", "lab-place");
    this.back = element(film, "button", "lab-live");
    this.back.type = "button";
    this.back.textContent = "Live";
    this.back.addEventListener("click", live);
    this.fork = element(film, "button", "lab-live");
    this.fork.type = "button";
    this.fork.textContent = "Fork here";
    this.fork.addEventListener("click", () => ask("fork", Number(this.bar.value)));
  }

  sayPace() {
    const pace = SPEEDS[this.speed.value];
    const text = pace === null ? "full speed" : `${pace} step${pace > 1 ? "s" : ""}/s`;
    this.speedText.textContent = text;
    this.speed.setAttribute("aria-valuetext", text);
  }

  // The server's word on the pace, unless a hand is on the slider.
  setPace(pace) {
    if (document.activeElement === this.speed) return;
    const place = SPEEDS.indexOf(pace);
    if (place < 0 || place === Number(this.speed.value)) return;
    this.speed.value = place;
    this.sayPace();
  }

  show({ playing, shown, last, lookingBack, stopped, mayDrive, mayFork, limit }) {
    this.row.hidden = !mayDrive; // somebody else's run is only looked at
    if (this.playing !== playing) {
      this.playing = playing;
      draw(this.main, playing ? "pause" : "play", playing ? "Pause" : "Play");
      this.main.title = playing ? "" : limit;
    }
    this.main.disabled = this.step.disabled = stopped;
    if (last !== this.last) {
      this.last = last;
      this.bar.max = last;
      this.bar.step = Math.max(1, Math.round(last / 400));
    }
    if (!lookingBack) this.bar.value = last - ((last - shown) % this.bar.step);
    this.bar.setAttribute("aria-valuetext", `step ${shown} of ${last}`);
    this.back.hidden = !lookingBack;
    this.fork.hidden = !lookingBack || !mayFork;
    const place = lookingBack ? `step ${thousands(shown)} of ${thousands(last)}` : `step ${thousands(shown)}`;
    if (this.place.textContent !== place) this.place.textContent = place;
  }
}

export const thousands = (count) => String(Math.round(count)).replace(/\B(?=(\d{3})+$)/g, ",");

function slider(parent, label, max) {
  const node = element(parent, "input");
  node.type = "range";
  node.min = 0;
  node.max = max;
  node.value = 0;
  node.setAttribute("aria-label", label);
  return node;
}

function button(parent, icon, label, kind, action) {
  const node = element(parent, "button", kind);
  node.type = "button";
  draw(node, icon, label);
  node.addEventListener("click", action);
  return node;
}

function draw(node, icon, label) {
  const path = `<path d="${ICONS[icon]}" fill="currentColor"/>`;
  node.innerHTML = `<svg viewBox="0 0 24 24" width="20" height="20" aria-hidden="true">${path}</svg>`;
  element(node, "span").textContent = label;
}
