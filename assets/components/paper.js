// A sheet of paper in place of a canvas: what painters draw on it becomes SVG. It has as much of a
// canvas as plot.begin asks for, and its pen as much of CanvasRenderingContext2D as the painters use.
// Units are CSS px; numbers are kept to a hundredth.

const FONT = /^(?:(italic) )?(?:(bold|\d+) )?([\d.]+)px (.+)$/;
const ANCHORS = { center: "middle", right: "end", end: "end" };
const round = (value) => Math.round(100 * value) / 100 || 0;
const escaped = (text) => String(text).replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);

// What is written once and named: clips and images. Sheets that lie in one picture share it.
export class Definitions {
  constructor(prefix = "lab") {
    Object.assign(this, { prefix, ids: new Map(), parts: [] });
  }

  name(key, make) {
    if (!this.ids.has(key)) {
      this.ids.set(key, `${this.prefix}-${this.ids.size + 1}`);
      this.parts.push(make(this.ids.get(key)));
    }
    return this.ids.get(key);
  }
}

export class Paper {
  constructor(width, height, definitions = new Definitions()) {
    Object.assign(this, { clientWidth: width, clientHeight: height, definitions, marks: [] });
    this.pen = new Pen(this);
  }

  getContext() {
    return this.pen;
  }

  setAttribute() {} // painters tell a canvas what it shows; paper is told by who saves it
}

// A whole file: sheets at their places, on the background.
export function file({ width, height, background, title, about }, sheets, definitions) {
  const [wide, tall] = [round(width), round(height)];
  const placed = sheets.map(({ left, top, paper }) => `<g transform="translate(${round(left)} ${round(top)})">\n${paper.marks.join("\n")}\n</g>`);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${wide}" height="${tall}" viewBox="0 0 ${wide} ${tall}" role="img">`,
    `<title>${escaped(title)}</title>`,
    `<desc>${escaped(about)}</desc>`,
    `<defs>\n${definitions.parts.join("\n")}\n</defs>`,
    `<rect width="${wide}" height="${tall}" fill="${background}"/>`,
    ...placed,
    "</svg>\n",
  ].join("\n");
}

const START = {
  fillStyle: "#000000", strokeStyle: "#000000", lineWidth: 1, lineJoin: "miter", lineCap: "butt", globalAlpha: 1,
  font: "10px sans-serif", textAlign: "start", textBaseline: "alphabetic", imageSmoothingEnabled: true,
  dash: [], clipped: null, matrix: [1, 0, 0, 1, 0, 0],
};

class Pen {
  constructor(paper) {
    this.stamps = false; // painters need not save themselves the drawing of a mark
    // A real pen measures texts and tells what a color is.
    this.ruler = new OffscreenCanvas(1, 1).getContext("2d");
    Object.assign(this, { paper, kept: [], path: [] }, START);
  }

  save() {
    this.kept.push(Object.fromEntries(Object.keys(START).map((name) => [name, this[name]])));
  }

  restore() {
    Object.assign(this, this.kept.pop());
  }

  setTransform() {} // plot.begin's: to device pixels, which paper has none of

  translate(x, y) {
    this.turn([1, 0, 0, 1, x, y]);
  }

  rotate(angle) {
    const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
    this.turn([cos, sin, -sin, cos, 0, 0]);
  }

  turn([a, b, c, d, e, f]) {
    const [A, B, C, D, E, F] = this.matrix;
    this.matrix = [A * a + C * b, B * a + D * b, A * c + C * d, B * c + D * d, A * e + C * f + E, B * e + D * f + F];
  }

  setLineDash(dash) {
    this.dash = [...dash];
  }

  // Paths: as on a canvas, what is not finite is left out, and a first line begins where it ends.

  beginPath() {
    this.path = [];
  }

  step(letter, ...numbers) {
    if (!numbers.every(Number.isFinite)) return;
    const first = this.path.length === 0 && letter === "L" ? "M" : letter;
    this.path.push(`${first}${numbers.map(round).join(" ")}`);
  }

  moveTo(x, y) {
    this.step("M", x, y);
  }

  lineTo(x, y) {
    this.step("L", x, y);
  }

  rect(x, y, width, height) {
    if (![x, y, width, height].every(Number.isFinite)) return;
    this.path.push(`M${round(x)} ${round(y)}h${round(width)}v${round(height)}h${round(-width)}Z`);
  }

  roundRect(x, y, width, height, radius) {
    const r = Math.max(0, Math.min(radius, Math.abs(width) / 2, Math.abs(height) / 2));
    if (![x, y, width, height, r].every(Number.isFinite)) return;
    const corner = (dx, dy) => `a${round(r)} ${round(r)} 0 0 1 ${round(dx)} ${round(dy)}`;
    this.path.push(
      `M${round(x + r)} ${round(y)}h${round(width - 2 * r)}${corner(r, r)}v${round(height - 2 * r)}${corner(-r, r)}` +
        `h${round(2 * r - width)}${corner(-r, -r)}v${round(2 * r - height)}${corner(r, -r)}Z`,
    );
  }

  arc(x, y, radius, from, to) {
    this.ellipse(x, y, radius, radius, 0, from, to);
  }

  // Clockwise from `from` to `to`; in two halves, since an arc of SVG that ends where it began is none.
  ellipse(x, y, a, b, turned, from, to) {
    if (![x, y, a, b, turned, from, to].every(Number.isFinite)) return;
    const [cos, sin] = [Math.cos(turned), Math.sin(turned)];
    const at = (angle) => {
      const [u, v] = [a * Math.cos(angle), b * Math.sin(angle)];
      return [x + cos * u - sin * v, y + sin * u + cos * v];
    };
    const end = Math.min(to, from + 2 * Math.PI);
    this.step(this.path.length ? "L" : "M", ...at(from));
    for (const angle of [(from + end) / 2, end]) this.step("A", a, b, (180 * turned) / Math.PI, 0, 1, ...at(angle));
    if (end === from + 2 * Math.PI) this.path.push("Z");
  }

  clip() {
    const [shape, outer] = [this.path.join(""), this.clipped];
    const where = this.placed();
    this.clipped = this.paper.definitions.name(`clip ${shape} ${where} ${outer}`, (id) =>
      `<clipPath id="${id}"${outer ? ` clip-path="url(#${outer})"` : ""}><path d="${shape}"${where}/></clipPath>`);
  }

  // Marks.

  fill() {
    if (this.path.length) this.mark(`<path d="${this.path.join("")}"${this.ink("fill", this.fillStyle)}`);
  }

  stroke() {
    if (this.path.length) this.mark(`<path d="${this.path.join("")}" fill="none"${this.line()}`);
  }

  clearRect() {} // paper is clean

  fillRect(...box) {
    if (box.every(Number.isFinite)) this.mark(`<rect${corners(...box)}${this.ink("fill", this.fillStyle)}`);
  }

  strokeRect(...box) {
    if (box.every(Number.isFinite)) this.mark(`<rect${corners(...box)} fill="none"${this.line()}`);
  }

  measureText(text) {
    Object.assign(this.ruler, { font: this.font, textAlign: this.textAlign, textBaseline: this.textBaseline });
    return this.ruler.measureText(text);
  }

  fillText(text, x, y) {
    this.text(text, x, y, this.ink("fill", this.fillStyle));
  }

  strokeText(text, x, y) {
    this.text(text, x, y, ` fill="none"${this.line()}`);
  }

  // Viewers differ in baselines other than the common one, so that the text is moved to stand on it.
  text(text, x, y, how) {
    if (!Number.isFinite(x) || !Number.isFinite(y) || text === "") return;
    const above = this.measureText(text).actualBoundingBoxAscent;
    this.ruler.textBaseline = "alphabetic";
    const down = this.ruler.measureText(text).actualBoundingBoxAscent - above;
    const [, style, weight, size, family] = FONT.exec(this.font);
    const font = `${style ? ` font-style="${style}"` : ""}${weight ? ` font-weight="${weight}"` : ""} font-size="${size}" font-family="${escaped(family)}"`;
    const anchor = ANCHORS[this.textAlign] ? ` text-anchor="${ANCHORS[this.textAlign]}"` : "";
    this.mark(`<text x="${round(x)}" y="${round(y + down)}"${anchor}${font}${how} xml:space="preserve"`, `>${escaped(text)}</text>`);
  }

  // A picture of pixels stays one; the same one at the same size is written once.
  drawImage(source, x, y, width = source.width, height = source.height) {
    const smooth = this.imageSmoothingEnabled ? "" : ' style="image-rendering:pixelated"';
    const pixels = asPng(source);
    const size = `width="${round(width)}" height="${round(height)}"`;
    const id = this.paper.definitions.name(`image ${size}${smooth} ${pixels}`, (name) =>
      `<image id="${name}" ${size} preserveAspectRatio="none"${smooth} href="${pixels}"/>`);
    this.mark(`<use href="#${id}" x="${round(x)}" y="${round(y)}"`);
  }

  mark(begun, end = "/>") {
    const faint = this.globalAlpha < 1 ? ` opacity="${Math.round(1000 * this.globalAlpha) / 1000}"` : "";
    const moved = this.placed();
    // A clip is in the coordinates of its own place, not in those of what it cuts.
    if (moved && this.clipped) this.paper.marks.push(`<g clip-path="url(#${this.clipped})">${begun}${faint}${moved}${end}</g>`);
    else this.paper.marks.push(`${begun}${faint}${moved}${this.clipped ? ` clip-path="url(#${this.clipped})"` : ""}${end}`);
  }

  placed() {
    const still = this.matrix.every((value, i) => value === START.matrix[i]);
    return still ? "" : ` transform="matrix(${this.matrix.map((value) => Math.round(1e5 * value) / 1e5).join(" ")})"`;
  }

  // A color as SVG 1.1 takes it: six digits, and its opacity apart.
  ink(name, style) {
    this.ruler.fillStyle = style;
    const found = /^rgba\((\d+), (\d+), (\d+), ([\d.]+)\)$/.exec(this.ruler.fillStyle);
    if (!found) return ` ${name}="${this.ruler.fillStyle}"`;
    return ` ${name}="rgb(${found.slice(1, 4).join(",")})" ${name}-opacity="${found[4]}"`;
  }

  line() {
    const cap = this.lineCap === "butt" ? "" : ` stroke-linecap="${this.lineCap}"`;
    const join = this.lineJoin === "miter" ? "" : ` stroke-linejoin="${this.lineJoin}"`;
    const dash = this.dash.length ? ` stroke-dasharray="${this.dash.map(round).join(" ")}"` : "";
    return `${this.ink("stroke", this.strokeStyle)} stroke-width="${round(this.lineWidth)}"${cap}${join}${dash}`;
  }
}

const corners = (x, y, width, height) => {
  const [left, top] = [Math.min(x, x + width), Math.min(y, y + height)];
  return ` x="${round(left)}" y="${round(top)}" width="${round(Math.abs(width))}" height="${round(Math.abs(height))}"`;
};

function asPng(source) {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [source.width, source.height];
  canvas.getContext("2d").drawImage(source, 0, 0);
  return canvas.toDataURL();
}
