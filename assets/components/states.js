// States of a scene: plain objects of numbers and texts, by the names of the page's fields.

// Whether two states say the same in an address; what only `one` has does not count.
export function same(one, other) {
  return Object.keys(other).every((name) => String(one[name]) === String(other[name]));
}

// What lies between two states: numbers are mixed, texts and steps of whole numbers jump to the end.
export function between(start, end, part) {
  const mix = (name) =>
    typeof end[name] === "number" && typeof start[name] === "number" && !Number.isInteger(end[name] - start[name] || 0.5)
      ? start[name] + part * (end[name] - start[name])
      : end[name];
  return Object.fromEntries(Object.keys(end).map((name) => [name, mix(name)]));
}
