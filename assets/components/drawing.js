// A digit drawn on 8x8 pixels, as evaluation.studies.drawing writes it: one letter a pixel, A without
// ink to Q full. A pen lays ink, a rubber takes it away, both with a soft edge.

export const SIDE = 8;
const ALPHABET = "ABCDEFGHIJKLMNOPQ";
const FULL = ALPHABET.length - 1;
export const BLANK = ALPHABET[0].repeat(SIDE * SIDE);
const REACH = 0.62; // radius of full ink, in pixels; the edge is one pixel wide

export const inkOf = (code) => Float64Array.from(code, (letter) => ALPHABET.indexOf(letter) / FULL);
export const codeOf = (ink) => Array.from(ink, (value) => ALPHABET[Math.round(value * FULL)]).join("");

// Black and white, as the network sees the drawing.
export const pixelsOf = (code, dice) => inkOf(code).map((ink, i) => (dice[i] < ink ? 1 : 0));

// A straight stroke between two places, [column, row] in pixels from the upper left corner.
export function stroke(code, from, to, rubber) {
  const [dx, dy] = [to[0] - from[0], to[1] - from[1]];
  const length = dx * dx + dy * dy;
  const ink = inkOf(code).map((value, i) => {
    const [x, y] = [(i % SIDE) + 0.5 - from[0], Math.floor(i / SIDE) + 0.5 - from[1]];
    const along = length > 0 ? Math.max(0, Math.min(1, (x * dx + y * dy) / length)) : 0;
    const away = Math.hypot(x - along * dx, y - along * dy);
    const laid = Math.max(0, Math.min(1, REACH + 0.5 - away));
    return rubber ? Math.min(value, 1 - laid) : Math.max(value, laid);
  });
  return codeOf(ink);
}

// One pixel more or less by `levels`.
export function touch(code, at, levels) {
  const level = ALPHABET.indexOf(code[at]) + levels;
  return code.slice(0, at) + ALPHABET[Math.max(0, Math.min(FULL, level))] + code.slice(at + 1);
}

// Empty to full, anything else to empty.
export const flip = (code, at) => touch(code, at, code[at] === ALPHABET[0] ? FULL : -FULL);
