// Contour lines of a table by marching squares, and the levels that hold a share of its mass. Values
// are in row-major order, n rows by m columns; places are [row, column] in units of cells.

// Segments of the line at `level`, four numbers each: row, column, row, column. Along an edge the line
// stands where the values of its ends, joined straight, reach the level.
export function contour(values, n, m, level) {
  const found = [];
  for (let i = 0; i + 1 < n; i++) {
    for (let j = 0; j + 1 < m; j++) {
      const at = i * m + j;
      const [a, b, c, d] = [values[at], values[at + 1], values[at + m + 1], values[at + m]];
      const kind = (a >= level) + 2 * (b >= level) + 4 * (c >= level) + 8 * (d >= level);
      if (kind === 0 || kind === 15) continue;
      const edge = [
        () => [i, j + part(a, b, level)],
        () => [i + part(b, c, level), j + 1],
        () => [i + 1, j + part(d, c, level)],
        () => [i + part(a, d, level), j],
      ];
      for (const [from, to] of crossed(kind, (a + b + c + d) / 4 >= level)) found.push(...edge[from](), ...edge[to]());
    }
  }
  return Float64Array.from(found);
}

const part = (from, to, level) => (from === to ? 0.5 : Math.min(1, Math.max(0, (level - from) / (to - from))));

// Edges 0 to 3: a-b, b-c, d-c, a-d. At a saddle the middle of the cell decides what is joined.
const CROSSED = {
  1: [[3, 0]], 2: [[0, 1]], 3: [[3, 1]], 4: [[1, 2]], 6: [[0, 2]], 7: [[3, 2]],
  8: [[2, 3]], 9: [[0, 2]], 11: [[1, 2]], 12: [[1, 3]], 13: [[0, 1]], 14: [[3, 0]],
};

function crossed(kind, highMiddle) {
  if (kind === 5) return highMiddle ? [[0, 1], [2, 3]] : [[3, 0], [1, 2]];
  if (kind === 10) return highMiddle ? [[3, 0], [1, 2]] : [[0, 1], [2, 3]];
  return CROSSED[kind];
}

// For each share of the whole the log density above which the densest cells hold it.
export function levels(logDensity, shares) {
  const sorted = Float64Array.from(logDensity).sort().reverse();
  const peak = sorted[0];
  let total = 0;
  for (const value of sorted) total += Math.exp(value - peak);
  return shares.map((share) => {
    let held = 0;
    for (let k = 0; k < sorted.length; k++) {
      const cell = Math.exp(sorted[k] - peak);
      held += cell;
      if (held < share * total) continue;
      // within the cell that completes the share, by the part of it that is needed
      const rest = (held - share * total) / cell;
      const above = k > 0 ? sorted[k - 1] : sorted[k];
      return sorted[k] + rest * (above - sorted[k]);
    }
    return sorted[sorted.length - 1];
  });
}
