// The row below a picture that saves it: as PNG and SVG, and its numbers as CSV where it has a table.
// `get` answers, at the press of a button, { name, about, tones, panels, rows }: panels are
// { canvas, paint(canvas), heading }, with the heading an element beside the canvas or none; rows are
// what the table holds. The whole picture is saved as it stands on the page, on the page's background.

import { Definitions, Paper, file } from "./paper.js";
import { note } from "./plot.js";
import { element, save } from "./readouts.js";

const LINE = 20; // px of a line of a heading
const MARGIN = 8;

export function offer(row, get, hasRows) {
  const keeping = (kind, make) => () => {
    const picture = get();
    if (picture.panels.length) make(picture, (blob) => save(blob, `${picture.name}.${kind}`)); // there may be nothing yet
  };
  const asSvg = (picture, keep) => keep(new Blob([svg(picture)], { type: "image/svg+xml" }));
  const asCsv = ({ rows }, keep) => {
    keep(new Blob([rows.map((cells) => cells.join(",")).join("\r\n") + "\r\n"], { type: "text/csv" }));
  };
  saves(row, {
    PNG: keeping("png", (picture, keep) => png(picture).toBlob(keep)),
    SVG: keeping("svg", asSvg),
    ...(hasRows ? { CSV: keeping("csv", asCsv) } : {}),
  });
}

const WHAT = {
  PNG: "The picture in pixels", SVG: "The picture in lines and texts, sharp at any size", CSV: "The numbers in the picture",
};

// The buttons themselves: what is done at a press, by the kind of the file.
export function saves(row, actions) {
  const group = element(row, "span", "lab-saves");
  group.setAttribute("role", "group");
  group.setAttribute("aria-label", "Save the picture or its numbers");
  element(group, "span").textContent = "Save as";
  for (const [kind, action] of Object.entries(actions)) {
    const node = element(group, "button");
    node.type = "button";
    node.textContent = kind;
    node.title = WHAT[kind];
    node.addEventListener("click", action);
  }
}

// Where each panel lies, from the upper left corner of the whole.
function lay(panels) {
  const boxes = panels.map(({ canvas, heading }) => {
    const box = canvas.getBoundingClientRect();
    const above = heading ? heading.getBoundingClientRect().height + 2 : 0;
    return { left: box.left, top: box.top - above, right: box.right, bottom: box.bottom, above };
  });
  const [left, top] = ["left", "top"].map((side) => Math.min(...boxes.map((box) => box[side])));
  const [right, bottom] = ["right", "bottom"].map((side) => Math.max(...boxes.map((box) => box[side])));
  return {
    width: right - left + 2 * MARGIN,
    height: bottom - top + 2 * MARGIN,
    places: boxes.map((box) => ({
      left: box.left - left + MARGIN, top: box.top - top + MARGIN, above: box.above, width: box.right - box.left,
    })),
  };
}

function title(pen, { heading }, width, tones) {
  if (!heading) return;
  let [said, y] = ["", LINE - 5];
  const write = () => note(pen, said, 0, y, { color: tones.text, bold: true });
  pen.font = "600 13px sans-serif";
  for (const word of heading.textContent.trim().split(/\s+/)) {
    if (said && pen.measureText(`${said} ${word}`).width > width) {
      write();
      [said, y] = ["", y + LINE];
    }
    said = said ? `${said} ${word}` : word;
  }
  write();
}

export function png({ panels, tones }) {
  const { width, height, places } = lay(panels);
  const ratio = window.devicePixelRatio || 1;
  const whole = document.createElement("canvas");
  [whole.width, whole.height] = [Math.round(width * ratio), Math.round(height * ratio)];
  const pen = whole.getContext("2d");
  pen.scale(ratio, ratio);
  pen.fillStyle = tones.background;
  pen.fillRect(0, 0, width, height);
  panels.forEach((panel, i) => {
    const { canvas } = panel;
    pen.save();
    pen.translate(places[i].left, places[i].top);
    title(pen, panel, places[i].width, tones);
    pen.drawImage(canvas, 0, places[i].above, canvas.clientWidth, canvas.clientHeight);
    pen.restore();
  });
  return whole;
}

export function svg({ panels, tones, name, about }) {
  const { width, height, places } = lay(panels);
  const definitions = new Definitions();
  const sheets = panels.flatMap((panel, i) => {
    const { left, top, above, width: wide } = places[i];
    const head = new Paper(wide, above, definitions);
    title(head.pen, panel, wide, tones);
    const paper = new Paper(panel.canvas.clientWidth, panel.canvas.clientHeight, definitions);
    panel.paint(paper);
    return [{ left, top, paper: head }, { left, top: top + above, paper }];
  });
  return file({ width, height, background: tones.background, title: name, about }, sheets, definitions);
}
