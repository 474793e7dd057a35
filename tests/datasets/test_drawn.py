"""Points drawn by hand: the name of the data set is the drawing, and draws follow its clouds."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from iwae_core import datasets
from iwae_core.datasets import drawn
from iwae_core.rng import make_generator
from iwae_core.training import TrainConfig, advance, begin

CELLS = st.tuples(st.integers(0, 63), st.integers(0, 63))


@given(points=st.lists(CELLS, max_size=drawn.MAX_POINTS))
def test_a_drawing_survives_its_string(points):
    assert drawn.decode(drawn.encode(points)) == tuple(points)


@given(text=st.text(max_size=60))
def test_any_other_text_is_refused_in_words(text):
    if len(text) % 2 == 0 and set(text) <= set(drawn.ALPHABET):
        assert drawn.encode(drawn.decode(text)) == text
    else:
        with pytest.raises(ValueError, match="a drawing is written in pairs"):
            drawn.decode(text)


def test_draws_have_the_mean_and_spread_of_the_clouds():
    # Off center and uneven: a column of 19 points at x = 3, one point at x = 40, rows 10 .. 29.
    # |z| > 5 by chance: 6e-7 each. At n = 40,000 the mean of x (sd 8.1) has a standard error of
    # 0.04: a missing cloud or swapped axes (1.85 or 14 cells) cannot hide.
    points = [(3, 10 + i) for i in range(19)] + [(40, 29)]
    x, labels = drawn.cloud(drawn.encode(points), 40_000, make_generator(5))
    assert labels is None
    centers = torch.tensor(points, dtype=torch.float64)
    error = (centers.var(dim=0, correction=0) + 1).sqrt() / 200
    z = (x.double().mean(dim=0) - centers.mean(dim=0)) / error
    assert z.abs().max() < 5
    spread = (centers.var(dim=0, correction=0) + drawn.SMEAR**2).sqrt()
    torch.testing.assert_close(x.double().std(dim=0), spread, rtol=0.05, atol=0)


def test_a_drawing_is_a_data_set_by_its_name():
    name = drawn.PREFIX + drawn.encode([(i, i * i // 40) for i in range(50)])
    data = datasets.load(name)
    assert data.train.shape == (2000, 2)
    assert (data.train_labels, data.class_names, data.likelihood) == (None, (), "gaussian")
    torch.testing.assert_close(data.train.mean(dim=0), torch.zeros(2), atol=1e-5, rtol=0)
    assert datasets.missing_files(name) == ()
    config = TrainConfig(dataset=name, latent_dim=2, hidden=(8,), seed=3)
    one, two = (advance(begin(config), 5).state.parameters for _ in range(2))
    np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("AA" * 19, "20 to 500 points, got 19"),
        ("AA" * 501, "20 to 500 points, got 501"),
        ("A" * 41, "half a point"),
        ("A!" * 30, "the character '!'"),
    ],
)
def test_a_configuration_refuses_a_broken_drawing_in_words(code, says):
    with pytest.raises(ValueError, match=says):
        TrainConfig(dataset=drawn.PREFIX + code)


def test_many_drawings_do_not_push_another_data_set_out():
    digits = datasets.load("digits")
    for i in range(12):
        datasets.load(drawn.PREFIX + drawn.encode([(i, j) for j in range(20)]))
    assert datasets.load("digits") is digits
