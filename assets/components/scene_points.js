// Points drawn by hand, to train on: the state is the string that stands in the address, two
// characters for each point (iwae_core/datasets/drawn.py). `model.cross` is where the keyboard writes.

const MARGIN = 10;
const STEP = 1.3; // cells between two points of one stroke
const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
const FEW = 25; // that "Take back" removes

function decode(meta, arrays, before) {
  return { ...meta, cross: before?.cross ?? [Math.floor(meta.levels / 2), Math.floor(meta.levels / 2)], at: before?.at ?? null };
}

function cells(points, alphabet) {
  const found = [];
  for (let i = 0; i + 1 < points.length; i += 2) {
    found.push([alphabet.indexOf(points[i]), alphabet.indexOf(points[i + 1])]);
  }
  return found;
}

function compute({ points }, { alphabet }) {
  return { cells: cells(points, alphabet) };
}

function height(width) {
  return Math.min(width, 360);
}

function layout({ width, height: tall }, state, numbers, { levels }) {
  const side = Math.min(width, tall) - 2 * MARGIN;
  const left = (width - side) / 2;
  const cell = side / levels;
  const inside = (at) => Math.max(0, Math.min(levels - 1, Math.floor(at)));
  return {
    left, top: MARGIN, side, cell,
    place: ([column, row]) => [left + (column + 0.5) * cell, MARGIN + side - (row + 0.5) * cell],
    cellAt: ({ x, y }) => [inside((x - left) / cell), inside((MARGIN + side - y) / cell)],
  };
}

function draw(pen, { view, numbers, model, tones }) {
  const { left, top, side, cell, place } = view;
  pen.strokeStyle = tones.grid;
  pen.lineWidth = 1;
  pen.strokeRect(left, top, side, side);
  pen.beginPath();
  for (const part of [0.25, 0.5, 0.75]) {
    pen.moveTo(left + part * side, top);
    pen.lineTo(left + part * side, top + side);
    pen.moveTo(left, top + part * side);
    pen.lineTo(left + side, top + part * side);
  }
  pen.stroke();
  pen.save();
  pen.beginPath();
  pen.rect(left, top, side, side);
  pen.clip();
  // The cloud of each point, one and two standard deviations, and the point itself.
  for (const [radius, alpha] of [[2 * cell, 0.12], [cell, 0.2], [0.35 * cell, 1]]) {
    pen.globalAlpha = alpha;
    pen.fillStyle = tones.target;
    for (const at of numbers.cells) {
      const [x, y] = place(at);
      pen.beginPath();
      pen.arc(x, y, radius, 0, 2 * Math.PI);
      pen.fill();
    }
  }
  pen.globalAlpha = 1;
  pen.restore();
  if (model.keyed) {
    const [x, y] = place(model.cross);
    pen.strokeStyle = tones.text;
    pen.lineWidth = 1.5;
    pen.beginPath();
    pen.moveTo(x - 7, y);
    pen.lineTo(x + 7, y);
    pen.moveTo(x, y - 7);
    pen.lineTo(x, y + 7);
    pen.stroke();
  }
}

function add(state, { alphabet, most }, more) {
  const room = most - state.points.length / 2;
  const written = more.slice(0, room).map(([column, row]) => alphabet[column] + alphabet[row]);
  return { ...state, points: state.points + written.join("") };
}

// A stroke leaves a point where it begins and then one each STEP cells.
function paint(from, to, { state, model, view }) {
  model.keyed = false;
  if (from === to) {
    model.at = view.cellAt(to);
    return add(state, model, [model.at]);
  }
  const [end, more] = [view.cellAt(to), []];
  const [dx, dy] = [end[0] - model.at[0], end[1] - model.at[1]];
  const far = Math.hypot(dx, dy);
  const count = Math.floor(far / STEP);
  const start = model.at;
  for (let i = 1; i <= count; i++) {
    const part = (i * STEP) / far;
    model.at = [Math.round(start[0] + part * dx), Math.round(start[1] + part * dy)];
    more.push(model.at);
  }
  return add(state, model, more);
}

function paintKey(key, { state, model }) {
  const move = MOVES[key];
  model.keyed = true;
  if (move) {
    model.cross = model.cross.map((at, axis) => Math.max(0, Math.min(model.levels - 1, at + move[axis])));
    return state;
  }
  if (key === "Enter" || key === " ") return add(state, model, [model.cross]);
  if (key === "Backspace") return { ...state, points: state.points.slice(0, -2) };
  return null;
}

const paints = () => true;

function buttons() {
  return [
    { name: "back", label: `Take back ${FEW}` },
    { name: "clear", label: "Clear" },
  ];
}

function press(name, { state }) {
  return { ...state, points: name === "clear" ? "" : state.points.slice(0, -2 * FEW) };
}

function cards({ numbers, model }) {
  const n = numbers.cells.length;
  const note = n < model.least ? `at least ${model.least}` : n < model.most ? `at most ${model.most}` : "full: take some back";
  return [{ label: "Points", value: String(n), note }];
}

function says({ numbers }) {
  return `${numbers.cells.length} points.`;
}

function table({ numbers }) {
  return [["column", "row"], ...numbers.cells];
}

export default { decode, compute, height, layout, draw, paint, paintKey, paints, buttons, press, cards, says, table };
