"""The film and the curves of the live picture, under Node: what is shown, and when."""

import json
import shutil
import subprocess

import numpy as np
import pytest

from iwae_core.places import ASSETS
from iwae_core.view.numbers import MINUS

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")

GLANCE = """
const glance = (step, x, axes = [0, 1]) => ({
  step, axes: Float32Array.from(axes), active: Float32Array.from([1, 0]),
  means: Float32Array.from([x, -x]), scales: Float32Array.from([1, 3]),
  kl_per_dim: Float32Array.from([x, 0]), log_w: Float32Array.from([0, x]),
});
const film = new Film();
const say = [];
"""


def under_node(tmp_path, module, script):
    """Run a script after the text of a module; it fills ``say``."""
    source = (ASSETS / "components" / f"{module}.js").read_text()
    run = tmp_path / "run.mjs"
    run.write_text(f"{source}\n{script}\nconsole.log(JSON.stringify(say));")
    answer = subprocess.run(["node", run], capture_output=True, text=True, check=True)
    return json.loads(answer.stdout)


def test_a_batch_is_played_through_in_the_time_until_the_next(tmp_path):
    script = """
    film.add([glance(0, 0)], 0);
    film.add([glance(10, 1), glance(20, 2), glance(30, 3)], 300);
    const ms = film.stretch.ms;
    for (const part of [0, 0.25, 0.5, 1]) {
      film.advance(300 + part * ms);
      say.push([film.playhead, film.glance().means[0], film.moving ? 1 : 0]);
    }
    say.push([ms, 0, 0]);
    """
    *shown, (ms, _, _) = under_node(tmp_path, "train_film", GLANCE + script)
    # 400 ms is the first guess, 300 ms the gap that came: (400 + 0.3 (300 - 400)) 1.15
    assert ms == pytest.approx(370 * 1.15)
    np.testing.assert_allclose(shown, [[0, 0, 1], [7.5, 0.75, 1], [15, 1.5, 1], [30, 3, 0]])


def test_between_two_glances_everything_moves_evenly_unless_the_plane_has_turned(tmp_path):
    script = """
    const [one, other] = [glance(0, 0), glance(8, 4)];
    const seen = mix(one, other, 0.25, 2);
    say.push([...seen.means, ...seen.scales, ...seen.kl_per_dim, ...seen.log_w, seen.step]);
    say.push([...mix(one, glance(8, 4, [0, 2]), 0.25, 2).means]);
    """
    seen, turned = under_node(tmp_path, "train_film", GLANCE + script)
    assert seen == [1, -1, 1, 3, 1, 0, 0, 1, 2]
    assert turned == [0, 0]


def test_frozen_it_stands_and_then_goes_to_where_the_run_stands(tmp_path):
    script = """
    film.add([glance(0, 0)], 0);
    film.add([glance(100, 1)], 400);
    film.advance(500);
    const pressed = film.playhead;
    film.freeze();
    film.advance(550);
    say.push(film.playhead === pressed && pressed > 0 && pressed < 100);
    film.add([glance(120, 2)], 560);
    film.advance(600);
    say.push(film.playhead === pressed);
    film.settle(700);
    film.advance(850);
    say.push(film.playhead);
    film.add([glance(121, 3)], 900, true);
    say.push(film.playhead);
    """
    stood, still, end, jumped = under_node(tmp_path, "train_film", GLANCE + script)
    assert stood is still is True
    assert (end, jumped) == (120, 121)


def test_what_lies_behind_is_forgotten(tmp_path):
    script = """
    for (let i = 0; i < 500; i++) {
      film.add([glance(10 * i, i), glance(10 * i + 5, i)], 100 * i);
      film.advance(100 * i + 99);
    }
    say.push(film.glances.length, film.count);
    """
    kept, count = under_node(tmp_path, "train_film", GLANCE + script)
    assert kept < 20
    assert count == 1000


def test_a_tab_that_nobody_looks_at_does_not_fill_the_memory(tmp_path):
    script = """
    for (let i = 0; i < 2000; i++) film.add([glance(i, i)], 100 * i);
    say.push(film.glances.length, film.playhead, film.glance().step, film.end);
    """
    count, playhead, shown, end = under_node(tmp_path, "train_film", GLANCE + script)
    assert count <= 300
    assert end == 1999
    assert 1999 - 300 <= playhead == shown <= 1999


def test_a_long_curve_keeps_its_means_and_its_ends(tmp_path):
    script = """
    const series = new Series(100);
    for (let i = 1; i <= 10000; i++) series.push([i, Math.sin(i), i % 7]);
    say.push(series.points.length, series.latest, series.total, series.group, series.points);
    say.push(series.upTo(5000.5).at(-1), after(series.points, 5000), series.upTo(3).length);
    """
    answer = under_node(tmp_path, "train_series", "const say = [];" + script)
    count, latest, total, group, points, there, before, _ = answer
    assert 50 <= count <= 100
    assert (latest, total) == (10_000, 10_000)
    points = np.array(points)
    steps = np.arange(1, 10_001)
    groups = steps[: count * group].reshape(count, group)
    np.testing.assert_allclose(points[:, 0], groups[:, -1])
    np.testing.assert_allclose(points[:, 1], np.sin(groups).mean(axis=1), atol=1e-9)
    np.testing.assert_allclose(points[:, 2], (groups % 7).mean(axis=1), atol=1e-9)
    # The line is cut at the step, between the points around it.
    expected = np.interp(5000.5, points[:, 0], points[:, 1])
    np.testing.assert_allclose(there[:2], [5000.5, expected], atol=1e-9)
    assert before == (points[:, 0] <= 5000).sum()


def test_a_bound_with_k_samples_is_named_by_the_k_it_was_taken_with_or_left_out(tmp_path):
    for path in (ASSETS / "components").glob("*.js"):
        shutil.copy(path, tmp_path)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "run.js").write_text(
        """
        globalThis.ResizeObserver = class { observe() {} };
        const { statusLine } = await import("./train_words.js");
        const { Series } = await import("./train_series.js");
        const steps = new Series();
        for (let step = 1; step <= 50; step++) steps.push([step, -25, 2, 5]);
        const feed = (n_samples) => ({
          meta: { n_samples, replaying_to: null, opening_to: null, asked_for: true },
          heldOut: [[0, -30, -28, -27], [50, -26, -25, -24]], deep: [], steps,
        });
        console.log(JSON.stringify([
          statusLine(feed(5), "paused", 50), statusLine(feed(96), "paused", 50),
          statusLine(feed(5), "back", 40),
        ]));
        """
    )
    answer = subprocess.run(
        ["node", tmp_path / "run.js"], capture_output=True, text=True, check=True
    )
    told, changed, back = (
        line.replace("\u00a0", " ").replace(MINUS, "-") for line in json.loads(answer.stdout)
    )
    assert told == "Paused · step 50 · K = 5 · L₁ = -26.00, L₅ = -25.00, L₆₄ = -24.00 nats"
    assert changed == "Paused · step 50 · K = 96 · L₁ = -26.00, L₆₄ = -24.00 nats"
    assert back.endswith("L₁ = -30.00, L₅ = -28.00, L₆₄ = -27.00 nats · bounds of step 0")
