// A digit drawn on a sheet of 32x32 dots and counted in blocks of 4x4, which gives the 8x8 pixels of 17
// levels that a network sees: so the digits of the data set were made from handwriting.
// A code holds either the dots (171 letters, base64) or, where nobody has drawn, the levels alone (64
// letters, A without ink to Q full); evaluation.studies.drawing reads both.

export const SIDE = 8;
export const DOTS = 32; // of a side of the sheet
const BLOCK = DOTS / SIDE;
const ALPHABET = "ABCDEFGHIJKLMNOPQ";
const FULL = ALPHABET.length - 1;
export const BLANK = ALPHABET[0].repeat(SIDE * SIDE);
const PEN = 2.5; // radius in dots: one digit of each class drawn so had the mean ink of the data set's
const RUBBER = 4;

const isLevels = (code) => code.length === SIDE * SIDE;
const blockOf = (dot) => Math.floor(dot / DOTS / BLOCK) * SIDE + Math.floor((dot % DOTS) / BLOCK);

// Ink of each pixel, in [0, 1].
export const inkOf = (code) => levelsOf(code).map((level) => level / FULL);
export const codeOf = (ink) => letters(Array.from(ink, (value) => Math.round(value * FULL)));

const letters = (levels) => Array.from(levels, (level) => ALPHABET[level]).join("");

function levelsOf(code) {
  if (isLevels(code)) return Float64Array.from(code, (letter) => ALPHABET.indexOf(letter));
  const levels = new Float64Array(SIDE * SIDE);
  unpacked(code).forEach((dot, i) => (levels[blockOf(i)] += dot));
  return levels;
}

// Black and white, as the network sees the drawing.
export const pixelsOf = (code, dice) => inkOf(code).map((ink, i) => (dice[i] < ink ? 1 : 0));

// The sheet, 1 for a black dot. Levels alone do not say which dots of a block are black: the likeliest
// are those towards the darker neighbors.
export const dotsOf = (code) => (isLevels(code) ? guessed(levelsOf(code)) : unpacked(code));

function guessed(levels) {
  const near = (x) => Math.max(0, Math.min(SIDE - 1, x));
  const at = (row, column) => levels[near(row) * SIDE + near(column)];
  const tone = (i) => {
    const [y, x] = [(Math.floor(i / DOTS) + 0.5) / BLOCK - 0.5, ((i % DOTS) + 0.5) / BLOCK - 0.5];
    const [row, column] = [Math.floor(y), Math.floor(x)];
    const [down, right] = [y - row, x - column];
    const line = (r) => (1 - right) * at(r, column) + right * at(r, column + 1);
    return (1 - down) * line(row) + down * line(row + 1);
  };
  const blocks = Array.from(levels, () => []);
  for (let i = 0; i < DOTS * DOTS; i++) blocks[blockOf(i)].push({ i, tone: tone(i) });
  const dots = new Uint8Array(DOTS * DOTS);
  blocks.forEach((block, b) => {
    block.sort((one, other) => other.tone - one.tone || one.i - other.i);
    for (const { i } of block.slice(0, levels[b])) dots[i] = 1;
  });
  return dots;
}

// Eight dots a byte, the first one highest; base64 as addresses take it.
export function packed(dots) {
  const bytes = new Uint8Array(dots.length / 8);
  dots.forEach((dot, i) => (bytes[i >> 3] |= dot << (7 - (i & 7))));
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

function unpacked(code) {
  const bytes = atob(code.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from({ length: DOTS * DOTS }, (_, i) => (bytes.charCodeAt(i >> 3) >> (7 - (i & 7))) & 1);
}

// A straight stroke of the pen, or of the rubber, between two places: [column, row] in dots.
export function stroke(code, from, to, rubber) {
  const [dx, dy] = [to[0] - from[0], to[1] - from[1]];
  const length = dx * dx + dy * dy;
  const reach = rubber ? RUBBER : PEN;
  const dots = dotsOf(code).map((dot, i) => {
    const [x, y] = [(i % DOTS) + 0.5 - from[0], Math.floor(i / DOTS) + 0.5 - from[1]];
    const along = length > 0 ? Math.max(0, Math.min(1, (x * dx + y * dy) / length)) : 0;
    return Math.hypot(x - along * dx, y - along * dy) <= reach ? (rubber ? 0 : 1) : dot;
  });
  return packed(dots);
}

// One pixel more or less by `levels`; which of its dots are black is guessed from then on.
export function touch(code, at, levels) {
  const changed = levelsOf(code);
  changed[at] = Math.max(0, Math.min(FULL, changed[at] + levels));
  return letters(changed);
}

// Empty to full, anything else to empty.
export const flip = (code, at) => touch(code, at, levelsOf(code)[at] === 0 ? FULL : -FULL);
