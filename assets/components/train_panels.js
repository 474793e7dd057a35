// The panels of the live picture, each a canvas under its heading, when each is drawn anew, and
// what is saved of them.

import * as plot from "./plot.js";
import { element } from "./readouts.js";
import { paintBounds, paintEss } from "./train_curves.js";
import { paintKl, paintLatents, paintWeights } from "./train_latents.js";
import { paintManifold, paintPictures } from "./train_pictures.js";

// Name, title, height in px, painter, what must be there before it can be painted, and [n, k]: in a
// movement it is in every nth picture, from the kth. The latent plane is what the eye follows.
const PANELS = [
  ["bounds", "Bounds on log p(x)", 280, paintBounds, "curves", [4, 1]],
  ["latents", "Latent plane", 330, paintLatents, "glance", [1, 0]],
  ["manifold", "Generated manifold", 330, paintManifold, "pictures", [1, 0]],
  ["pictures", "Data and model", 330, paintPictures, "pictures", [1, 0]],
  ["weights", "Weights of one held-out datapoint", 210, paintWeights, "glance", [2, 0]],
  ["ess", "Effective samples in training", 210, paintEss, "curves", [4, 3]],
  ["kl", "What each latent carries", 210, paintKl, "glance", [2, 1]],
];

export class Panels {
  constructor(root) {
    this.root = root;
    const grid = element(root, "div", "lab-train-panels");
    this.all = PANELS.map(([name, title, height, paint, needs, [every, from]]) => {
      const figure = element(grid, "figure", name);
      const heading = element(figure, "figcaption");
      heading.textContent = title;
      const canvas = plot.surface(figure, height, title);
      return { name, heading, canvas, paint, needs, every, from, drawn: "", seen: false, near: true };
    });
    // While a run moves nobody sees what is scrolled away; at rest all of it is drawn.
    this.sight = new IntersectionObserver((changes) => {
      for (const { target, isIntersecting } of changes) {
        this.all.find(({ canvas }) => canvas === target).near = isIntersecting;
      }
    });
    for (const { canvas } of this.all) this.sight.observe(canvas);
  }

  remove() {
    this.sight.disconnect();
  }

  // `view` is what the painters draw; its `turn` counts the pictures of a movement, null: draw all.
  paint(view) {
    const { feed, glance, pictures, turn } = view;
    const ready = { curves: true, glance: glance && feed.probe, pictures: pictures && feed.probe };
    const manifold = Boolean(pictures?.manifold && feed.probe?.shape);
    this.root.dataset.manifold = manifold; // CSS makes room for it
    this.view = view;
    for (const panel of this.all) {
      panel.seen = ready[panel.needs] && (panel.name !== "manifold" || manifold);
      if (!panel.seen) continue;
      if (turn !== null && (turn % panel.every !== panel.from || !panel.near)) continue;
      if (!plot.sizeOf(panel.canvas)[0]) continue; // out of sight
      if (panel.needs === "pictures") {
        const looks = [plot.sizeOf(panel.canvas), window.devicePixelRatio, view.tones.mode];
        const drawn = [...looks, feed.runId, feed.generation, pictures.step].join(" ");
        if (panel.drawn === drawn) continue;
        panel.drawn = drawn;
      }
      panel.paint(panel, view);
    }
  }
  // All that is seen of the run, and its curves in a long table.
  picture(about) {
    const { view } = this;
    const { heldOut = [], deep = [], steps } = view?.feed ?? {};
    const series = (name, rows, column) => rows.map((row) => [name, row[0], row[column]]);
    const panels = this.all.filter(({ seen, canvas }) => seen && plot.sizeOf(canvas)[0]);
    return {
      name: "train", about, tones: view?.tones,
      panels: panels.map((panel) => ({ ...panel, paint: (canvas) => panel.paint({ ...panel, canvas }, view) })),
      rows: [
        ["series", "step", "value"], ...series("L_1", heldOut, 1), ...series("L_K", heldOut, 2), ...series("L_64", heldOut, 3),
        ...series("L_512", deep, 1), ...series("objective", steps?.points ?? [], 1), ...series("ess", steps?.points ?? [], 2),
      ],
    };
  }
}
