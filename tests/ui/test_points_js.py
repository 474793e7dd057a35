"""The square to draw in writes what the core reads: strokes, keys, and the limit."""

import json
import shutil
import subprocess

import pytest

from iwae_core.datasets import drawn
from iwae_core.places import ASSETS

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")

# Plays strokes and keys on a square of 640 px, so that a cell is 10 px, and prints each state.
SCRIPT = """
import { readFileSync } from "node:fs";
const { default: scene } = await import(process.argv[2]);
const { meta, points, acts } = JSON.parse(readFileSync(0, "utf8"));
const model = scene.decode(meta, {}, null);
let state = { points };
const view = scene.layout({ width: 660, height: 660 }, state, scene.compute(state, model), model);
const told = [scene.compute(state, model).cells];
for (const [kind, ...given] of acts) {
  const context = { state, model, view, numbers: scene.compute(state, model) };
  if (kind === "stroke") {
    let from = null;
    for (const [x, y] of given) {
      const to = { x, y };
      state = scene.paint(from ?? to, to, { ...context, state }) ?? state;
      from = to;
    }
  }
  for (const key of kind === "keys" ? given : []) {
    state = scene.paintKey(key, { ...context, state }) ?? state;
  }
  if (kind === "press") state = scene.press(given[0], context);
  told.push(state.points);
}
console.log(JSON.stringify(told));
"""
META = {
    "alphabet": drawn.ALPHABET,
    "levels": drawn.N_LEVELS,
    "least": drawn.MIN_POINTS,
    "most": drawn.MAX_POINTS,
}


def play(tmp_path, points, *acts):
    module = tmp_path / "scene.mjs"
    module.write_text((ASSETS / "components" / "scene_points.js").read_text())
    (tmp_path / "play.mjs").write_text(SCRIPT)
    answer = subprocess.run(
        ["node", tmp_path / "play.mjs", module],
        input=json.dumps({"meta": META, "points": points, "acts": acts}),
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(answer.stdout)


def test_a_stroke_leaves_points_along_it_which_the_core_reads_back(tmp_path):
    # From the cell (0, 0), whose center is (15, 645), to (30, 40): 50 cells away.
    cells, points = play(tmp_path, "A_gB", ["stroke", [15, 645], [165, 445], [315, 245]])
    assert cells == [[0, 63], [32, 1]]
    found = drawn.decode(points)
    assert found[:2] == ((0, 63), (32, 1))
    stroke = found[2:]
    assert stroke[0] == (0, 0)
    assert 36 <= len(stroke) <= 39  # one each 1.3 cells
    assert all(abs(row - column * 4 / 3) < 1.2 for column, row in stroke)
    assert stroke[-1][0] >= 29


def test_a_stroke_beyond_the_square_stays_in_it_and_a_full_drawing_takes_no_more(tmp_path):
    _, outside, full = play(
        tmp_path,
        "AB" * 480,
        ["stroke", [-50, 700], [900, 700]],
        ["stroke", [15, 645], [645, 15]],
    )
    assert len(drawn.decode(outside)) == drawn.MAX_POINTS
    assert full == outside


def test_keys_move_a_cross_put_a_point_and_take_one_back(tmp_path):
    start = "AB" * 30
    _, one, back, fewer, empty = play(
        tmp_path,
        start,
        ["keys", "ArrowLeft", "ArrowUp", "ArrowUp", "Enter", " "],
        ["keys", "Backspace"],
        ["press", "back"],
        ["press", "clear"],
    )
    assert drawn.decode(one)[30:] == ((31, 34), (31, 34))
    assert drawn.decode(back)[30:] == ((31, 34),)
    assert len(drawn.decode(fewer)) == 31 - 25
    assert empty == ""
