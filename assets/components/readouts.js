// What stands around a canvas: the formula with its live numbers, buttons, cards. Each is built once
// and only its changed texts are written, so that dragging costs no layout.

import { indexed } from "./plot.js";

export function element(parent, tag, className = "") {
  const node = document.createElement(tag);
  if (className) node.className = className;
  parent.append(node);
  return node;
}

export function save(blob, filename) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = filename;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href));
}

const write = (node, text) => {
  if (node.textContent !== text) node.textContent = text;
};

// The same with indices set below the line: L_K, L_50.
const writeIndexed = (node, text) => {
  if (node.dataset.text === text) return;
  node.dataset.text = text;
  node.replaceChildren(
    ...indexed(text).map(([piece, below]) => {
      if (!below) return piece;
      const sub = document.createElement("sub");
      sub.textContent = piece;
      return sub;
    }),
  );
};

// Rows whose parts are kept while their number stays.
class Rows {
  constructor(parent, tag, className) {
    this.node = element(parent, tag, className);
    this.parts = [];
  }

  fit(count, make) {
    while (this.parts.length > count) this.parts.pop().node.remove();
    while (this.parts.length < count) this.parts.push(make(this.parts.length));
    this.node.hidden = count === 0;
  }
}

// Symbols with their values below; a term under the pointer or in focus is marked in the picture.
// A line breaks after a comma first, and within an equation only where it is too long for one line;
// the comma belongs to the term before it, so that no line starts with one.
export class Formula extends Rows {
  constructor(parent, mark) {
    super(parent, "div", "lab-formula");
    this.mark = mark;
    this.phrases = [];
  }

  show(said) {
    const ends = said.map((_, index) => said[index + 1]?.symbol === ",");
    const kept = [...said.keys()].filter((index) => said[index].symbol !== ",");
    this.fit(kept.length, () => this.make());
    let phrase = 0;
    kept.forEach((place, index) => {
      const [part, term] = [this.parts[index], said[place]];
      this.phrases[phrase] ??= element(this.node, "span", "lab-phrase");
      if (part.node.parentNode !== this.phrases[phrase]) this.phrases[phrase].append(part.node);
      if (ends[place]) phrase += 1;
      const symbol = ends[place] ? `${term.symbol}<span class="comma">,</span>` : term.symbol;
      if (part.symbol.dataset.symbol !== symbol) {
        part.symbol.innerHTML = symbol; // the scene's own text, never a reader's
        part.symbol.dataset.symbol = symbol;
      }
      write(part.value, term.value ?? "");
      part.node.dataset.term = term.term ?? "";
      part.node.dataset.lit = term.lit ? "1" : "";
      part.node.tabIndex = term.term ? 0 : -1;
      part.node.style.color = term.role ? `var(--lab-${term.role}-text)` : "";
    });
  }

  make() {
    const node = document.createElement("span");
    node.className = "lab-term";
    const part = { node, symbol: element(node, "span", "symbol"), value: element(node, "span", "value") };
    const on = () => this.mark(node.dataset.term || null);
    const off = () => this.mark(null);
    for (const kind of ["pointerenter", "focus"]) node.addEventListener(kind, on);
    for (const kind of ["pointerleave", "blur"]) node.addEventListener(kind, off);
    return part;
  }
}

export class Cards extends Rows {
  constructor(parent) {
    super(parent, "dl", "lab-cards");
  }

  show(cards, fresh) {
    this.fit(cards.length, () => this.make());
    cards.forEach(({ label, value, note, help, exact }, index) => {
      const part = this.parts[index];
      writeIndexed(part.label, label);
      write(part.value, value);
      write(part.note, note ?? "");
      write(part.help, help ?? "");
      part.help.hidden = !help;
      if (help) part.node.tabIndex = 0;
      part.node.dataset.name = label;
      part.node.dataset.stale = exact && !fresh ? "1" : "";
    });
  }

  make() {
    const node = element(this.node, "div");
    const label = element(node, "dt");
    const value = element(node, "dd");
    const note = element(node, "dd", "note");
    const help = element(node, "dd", "tip");
    return { node, label, value, note, help };
  }
}

export class Buttons extends Rows {
  constructor(parent, press) {
    super(parent, "div", "lab-buttons");
    this.press = press;
  }

  show(buttons) {
    this.fit(buttons.length, () => {
      const node = element(this.node, "button");
      node.type = "button";
      node.addEventListener("click", () => this.press(node.dataset.name));
      return { node };
    });
    buttons.forEach(({ name, label, pressed }, index) => {
      const { node } = this.parts[index];
      write(node, label);
      node.dataset.name = name;
      if (pressed === undefined) node.removeAttribute("aria-pressed");
      else node.setAttribute("aria-pressed", pressed);
    });
  }
}
