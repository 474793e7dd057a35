"""Contour lines and the levels that hold a share of the mass, against closed forms."""

import math
import shutil

import numpy as np
import pytest
from node import under_node

pytestmark = pytest.mark.skipif(shutil.which("node") is None, reason="Node is not installed")

N, M = 60, 80


def gaussian(center=(27.3, 41.8), scale=(6.0, 9.0)):
    rows, columns = np.arange(N)[:, None], np.arange(M)
    return -0.5 * (((rows - center[0]) / scale[0]) ** 2 + ((columns - center[1]) / scale[1]) ** 2)


def segments(tmp_path, values, level):
    n, m = values.shape
    (found,) = under_node(
        tmp_path, [["contour", values.ravel().tolist(), n, m, level]], "contours"
    )
    return np.reshape(found, (-1, 2, 2))


def test_the_line_of_a_gaussian_is_its_ellipse_and_closes(tmp_path):
    found = segments(tmp_path, gaussian(), -2.0)
    radius = np.hypot((found[..., 0] - 27.3) / 6, (found[..., 1] - 41.8) / 9)
    np.testing.assert_allclose(radius, 2.0, atol=0.003)  # an edge's chord errs by h^2 / (8 r s^2)
    ends = np.round(found.reshape(-1, 2), 9)
    _, times = np.unique(ends, axis=0, return_counts=True)
    assert (times == 2).all()  # every end is met by another: the line is closed
    length = np.hypot(*(found[:, 0] - found[:, 1]).T).sum()
    angle = np.linspace(0, 2 * math.pi, 100_001)
    arc = np.hypot(12 * np.cos(angle), 18 * np.sin(angle)).mean() * 2 * math.pi
    assert length == pytest.approx(arc, rel=0.005)


def test_levels_hold_their_share_of_a_gaussian(tmp_path):
    # Of a Gaussian in the plane, exp(-r^2 / 2) lies beyond r: the level is log(1 - share).
    shares = [0.5, 0.9, 0.99]
    values = gaussian((29.5, 39.5), (5.0, 7.0))
    (found,) = under_node(tmp_path, [["levels", values.ravel().tolist(), shares]], "contours")
    np.testing.assert_allclose(found, np.log1p(-np.array(shares)), atol=0.04)


@pytest.mark.parametrize("corner", range(4))
def test_a_single_high_corner_is_cut_off(tmp_path, corner):
    values = np.zeros(4)
    values[corner] = 1.0
    (found,) = segments(tmp_path, values.reshape(2, 2), 0.75)
    place = np.array([corner // 2, corner % 2])
    np.testing.assert_allclose(np.abs(found - place).sum(axis=-1), 0.25)


@pytest.mark.parametrize(("middle", "near"), [("high", (0, 1)), ("low", (0, 0))])
def test_a_saddle_joins_what_its_middle_says(tmp_path, middle, near):
    high = 1.0 if middle == "high" else 0.2
    values = np.array([[high, 0.0], [0.0, high]])
    level = 0.4 if middle == "high" else 0.15
    found = segments(tmp_path, values, level)
    assert len(found) == 2
    # With a high middle the low corners are cut off, else the high ones.
    distance = np.abs(found - np.array(near)).sum(axis=-1)
    assert (distance < 1).all(axis=1).sum() == 1


def test_a_flat_table_has_no_line(tmp_path):
    assert segments(tmp_path, np.ones((4, 4)), 1.0).size == 0
    assert segments(tmp_path, np.ones((4, 4)), 2.0).size == 0
