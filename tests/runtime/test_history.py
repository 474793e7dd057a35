"""A film stays within its budget, keeps the whole of a run, and gives back what was put in."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iwae_core.runtime.history import GLANCE_BYTES, PICTURE_BYTES, History
from iwae_core.runtime.reel import Reel
from iwae_core.training import Records, TrainConfig, begin
from iwae_core.training.frame import observe, probe

SMALL = TrainConfig(hidden=(4,), latent_dim=2)


def nothing():
    return Records(step=np.zeros(0, int), objective=np.zeros(0), ess=np.zeros(0), n_samples=5)


@pytest.fixture(scope="module")
def frame():
    return observe(begin(SMALL))


def at(frame, step):
    glance = dataclasses.replace(frame.glance, step=step, means=frame.glance.means + step % 7)
    return dataclasses.replace(frame, glance=glance)


@given(
    sizes=st.lists(st.integers(0, 400), min_size=1, max_size=300),
    budget=st.integers(2_000, 60_000),
)
def test_a_reel_never_exceeds_its_budget_by_more_than_what_is_recent(sizes, budget):
    reel = Reel(budget, n_recent=4)
    for step, size in enumerate(sizes):
        reel.add(step, f"picture {step}", size)
        latest = sizes[max(1, step - 3) : step + 1]
        assert reel.nbytes <= max(budget, sum(latest) + sizes[0] + 600 * (1 + len(latest)))
        assert reel.steps[-4:] == list(range(max(0, step - 3), step + 1))
    assert reel.steps == sorted(set(reel.steps))
    assert reel.at(reel.steps[0]) == (reel.steps[0], f"picture {reel.steps[0]}")


def test_what_is_kept_of_a_long_run_lies_evenly_over_it():
    reel = Reel(100 * 700, n_recent=4)
    for step in range(10_000):
        reel.add(step, None, 100)
    assert 50 <= len(reel.steps) <= 100
    gaps = np.diff(reel.steps[:-5])
    assert set(gaps) == {reel.stride}
    assert reel.steps[0] == 0


def test_a_reel_finds_the_last_picture_up_to_a_step():
    reel = Reel(10_000, n_recent=3)
    assert reel.at(5) is None
    for step in (0, 10, 20):
        reel.add(step, f"at {step}", 1)
    assert reel.at(-3) == (0, "at 0")
    assert reel.at(10) == (10, "at 10")
    assert reel.at(19) == (10, "at 10")
    assert reel.at(99) == (20, "at 20")
    reel.add(20, "again", 1)
    reel.add(15, "a replay", 1)
    assert reel.steps == [0, 10, 20]
    assert reel.at(20) == (20, "again")
    assert reel.since(0) == [(10, "at 10"), (20, "again")]


def test_thousands_of_frames_of_mnist_stay_within_the_stated_bytes(frame):
    history = History()
    history.probe = dataclasses.replace(
        probe("digits", None), x=np.zeros((300, 784), np.float32), image_shape=(28, 28)
    )
    big = dataclasses.replace(
        frame,
        reconstructions=np.full((10, 784), 0.5, np.float32),
        samples=np.zeros((10, 784), np.float32),
        manifold=np.ones((12, 12, 784), np.float32),
    )
    for step in range(4_000):
        now = at(big, step)
        history.add(nothing(), [now.glance], now if step % 4 == 0 else None)
    assert history.nbytes <= GLANCE_BYTES + PICTURE_BYTES + 300_000
    assert history.nbytes > 0.4 * (GLANCE_BYTES + PICTURE_BYTES)  # and the room is used
    middle = history.moment(2_000)
    assert 1_950 <= middle.glance.step <= 2_000
    assert 1_700 <= middle.pictures_step <= 2_000
    assert middle.pictures.manifold.dtype == np.uint8
    assert middle.pictures.manifold.max() == 255
    assert middle.pictures.reconstructions[0, 0] in (127, 128)


def test_what_comes_back_is_what_was_put_in_to_three_digits(frame):
    history = History()
    history.probe = probe("digits", None)
    assert history.moment(0) is None
    history.add(nothing(), [frame.glance], frame)
    moment = history.moment(0)
    for name in ("means", "scales", "kl_per_dim", "active", "log_w"):
        ours, theirs = getattr(moment.glance, name), getattr(frame.glance, name)
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-6)
    assert moment.glance.means.dtype == np.float32
    np.testing.assert_allclose(moment.pictures.samples / 255, frame.samples, atol=0.002)
    again = history.moment_of(frame)
    np.testing.assert_array_equal(again.pictures.manifold, moment.pictures.manifold)


def test_points_in_the_plane_are_kept_as_they_are():
    config = TrainConfig(dataset="moons", hidden=(4,), latent_dim=2)
    frame = observe(begin(config))
    history = History()
    history.probe = probe("moons", None)
    history.add(nothing(), [frame.glance], frame)
    np.testing.assert_array_equal(history.moment(0).pictures.samples, frame.samples)


def test_a_bound_that_comes_late_finds_its_place_and_none_comes_twice(frame):
    history = History()
    history.probe = probe("digits", None)
    history.add_deep(10, -20.0)
    history.add_deep(30, -18.0)
    history.add_deep(30, -18.0)
    history.add_deep(20, -19.0)
    assert history.deep.rows.tolist() == [[10, -20], [30, -18]]
