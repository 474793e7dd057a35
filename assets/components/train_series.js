// A curve of any length in about 600 points: neighbors are averaged in groups that grow with it.

export class Series {
  constructor(most = 600) {
    this.most = most;
    this.clear();
  }

  clear() {
    this.points = []; // [step, mean, mean, ...]
    this.group = 1;
    this.pending = null;
    this.count = 0;
    this.latest = -1;
    this.total = 0;
  }

  // One row [step, value, ...]; rows come in the order of their steps.
  push(row) {
    this.latest = row[0];
    this.total += 1;
    if (this.pending === null) this.pending = row.slice();
    else {
      this.pending[0] = row[0];
      for (let i = 1; i < row.length; i++) this.pending[i] += row[i];
    }
    this.count += 1;
    if (this.count < this.group) return;
    this.points.push(this.pending.map((sum, i) => (i ? sum / this.count : sum)));
    this.pending = null;
    this.count = 0;
    if (this.points.length > this.most) this.halve();
  }

  halve() {
    const pairs = [];
    for (let i = 0; i + 1 < this.points.length; i += 2) {
      const [one, other] = [this.points[i], this.points[i + 1]];
      pairs.push(one.map((value, j) => (j ? (value + other[j]) / 2 : other[0])));
    }
    if (this.points.length % 2) {
      const left = this.points.at(-1);
      this.pending = left.map((value, j) => (j ? value * this.group : value));
      this.count = this.group;
    }
    this.points = pairs;
    this.group *= 2;
  }

  // The points up to a step, with one more at the step itself, on the line between its neighbors.
  upTo(step) {
    const { points } = this;
    const end = after(points, step);
    const shown = points.slice(0, end);
    const [before, next] = [points[end - 1], points[end]];
    if (before && next && before[0] < step) {
      const part = (step - before[0]) / (next[0] - before[0]);
      shown.push(before.map((value, i) => value + part * (next[i] - value)));
    }
    return shown;
  }
}

// How many of the rows, in the order of their steps, come at or before a step.
export function after(rows, step) {
  let [low, high] = [0, rows.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (rows[middle][0] <= step) low = middle + 1;
    else high = middle;
  }
  return low;
}
