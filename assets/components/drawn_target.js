// A target drawn by hand: its name is the drawing, one character for each height, at even steps
// (iwae_core/sampling/densities/drawn.py). `model.drawn` holds { prefix, alphabet, low, high }.

export const isDrawn = ({ target }, { drawn }) => target.startsWith(drawn.prefix);
const levels = ({ target }, { drawn }) =>
  Array.from(target.slice(drawn.prefix.length), (letter) => drawn.alphabet.indexOf(letter));

export function targetOf(state, model) {
  if (!isDrawn(state, model)) return model.target;
  const { low, high } = model.drawn;
  return { family: "curve", low, high, heights: levels(state, model) };
}

// Painting p: the height of each knot below the stroke, against the highest one.

export function paint(from, to, { state, numbers, model, view }) {
  if (!isDrawn(state, model) || from.y > view.main.low + 8) return null;
  const heights = levels(state, model);
  const last = heights.length - 1;
  const { low, high } = model.drawn;
  const knotAt = (x) => ((view.main.toZ(x) - low) / (high - low)) * last;
  const { low: floor, high: ceiling } = view.main;
  const unit = view.top / Math.max(...numbers.p) / (floor - ceiling);
  const heightAt = (y) => Math.max(0, Math.min(1, unit * (floor - y)));
  const [one, other] = from.x <= to.x ? [from, to] : [to, from];
  const [first, end] = [Math.round(knotAt(one.x)), Math.round(knotAt(other.x))];
  for (let knot = Math.max(0, first); knot <= Math.min(last, end); knot++) {
    const part = end > first ? (knot - first) / (end - first) : 1;
    heights[knot] = 63 * heightAt(one.y + part * (other.y - one.y));
  }
  return withHeights(state, model, heights);
}

function withHeights(state, { drawn }, heights) {
  const top = Math.max(...heights);
  if (!(top > 0)) return null;
  const letter = (height) => drawn.alphabet[Math.floor(63 * (height / top) + 0.5) || (height > 0 ? 1 : 0)];
  return { ...state, target: drawn.prefix + heights.map(letter).join("") };
}

// Left and right choose a knot, up and down raise and lower it.
export function paintKey(key, { state, model }) {
  if (!isDrawn(state, model)) return null;
  const heights = levels(state, model);
  const step = { ArrowLeft: -1, ArrowRight: 1 }[key];
  if (step) model.knot = Math.max(0, Math.min(heights.length - 1, model.knot + step));
  const lift = { ArrowUp: 4, ArrowDown: -4 }[key];
  if (lift) heights[model.knot] = Math.max(0, Math.min(63, heights[model.knot] + lift));
  return step || lift ? withHeights(state, model, heights) : null;
}

export const paints = ({ state, model }) => isDrawn(state, model);

// Where the chosen knot stands.
export function knotOf(state, model) {
  const { low, high } = model.drawn;
  return low + ((high - low) * model.knot) / (levels(state, model).length - 1);
}
