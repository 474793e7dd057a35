"""Binarization is a fair draw, and a data set that contradicts itself is refused."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support import assert_mean

from iwae_core.datasets import Dataset, binarize
from iwae_core.rng import make_generator


def test_a_bit_is_on_with_the_probability_of_its_pixel():
    # n = 40,000 draws a pixel: a probability off by 10 * 0.5 / 200 = 0.025 is found almost
    # surely. Unequal values, so that pixels cannot be exchanged unseen.
    probabilities = torch.tensor([0.02, 0.3, 0.5, 0.85])
    bits = binarize(probabilities.expand(40_000, 4), make_generator(1))
    for pixel, p in enumerate(probabilities.tolist()):
        assert_mean(bits[:, pixel], p)


def test_pixels_are_drawn_independently():
    # For independent bits the mean product is p^2 = 0.09; equal bits would give 0.3.
    bits = binarize(torch.full((40_000, 2), 0.3), make_generator(2))
    assert_mean(bits.prod(dim=1), 0.09)


def test_every_access_redraws_and_equal_generators_draw_equally():
    probabilities = torch.full((20, 30), 0.5)
    generator = make_generator(3)
    first, second = binarize(probabilities, generator), binarize(probabilities, generator)
    assert not torch.equal(first, second)
    assert torch.equal(first, binarize(probabilities, make_generator(3)))


@given(seed=st.integers(0, 2**32), bits=st.lists(st.booleans(), min_size=1, max_size=64))
def test_bits_pass_unchanged(seed, bits):
    x = torch.tensor(bits).float()
    assert torch.equal(binarize(x, make_generator(seed)), x)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_binarize_keeps_shape_and_type_and_leaves_its_input_alone(dtype):
    probabilities = torch.full((2, 3, 4), 0.4, dtype=dtype)
    bits = binarize(probabilities, make_generator(4))
    assert bits.shape == (2, 3, 4)
    assert bits.dtype == dtype
    assert (probabilities == 0.4).all()


def test_undivided_intensities_are_refused():
    with pytest.raises(ValueError, match=r"uint8.*divided"):
        binarize(torch.full((3,), 255, dtype=torch.uint8), make_generator(0))


def make_dataset(**changes):
    fields = {
        "name": "tiny",
        "title": "Tiny",
        "description": "",
        "source": "",
        "license": "",
        "train": torch.zeros(4, 6),
        "test": torch.ones(2, 6),
        "train_labels": torch.zeros(4, dtype=torch.int64),
        "test_labels": None,
        "class_names": ("none",),
        "image_shape": (2, 3),
        "binary": True,
        "already_binarized": False,
        "likelihood": "bernoulli",
    }
    return Dataset(**{**fields, **changes})


def test_a_sound_dataset_knows_its_number_of_features():
    assert make_dataset().n_features == 6


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"train": torch.zeros(4, 6, dtype=torch.float64)}, "train must be float32"),
        ({"test": torch.zeros(0, 6)}, "test must be float32 of shape"),
        ({"test": torch.zeros(2, 5)}, "same columns"),
        ({"test": torch.full((2, 6), 16.0)}, r"\[0, 1\].*got \[16, 16\].*undivided"),
        ({"train": torch.full((4, 6), torch.nan)}, "finite"),
        ({"train_labels": torch.zeros(3, dtype=torch.int64)}, r"int64 of shape \(4,\)"),
        ({"test_labels": torch.zeros(2)}, r"test_labels.*float32"),
        ({"image_shape": (3, 3)}, r"\(3, 3\) for 6 columns"),
        ({"train": torch.full((4, 6), 0.5), "already_binarized": True}, "0 and 1 only"),
    ],
)
def test_a_dataset_that_contradicts_itself_is_refused_by_name(changes, rule):
    with pytest.raises(ValueError, match=f"tiny.*{rule}"):
        make_dataset(**changes)


def test_all_faults_are_told_at_once():
    with pytest.raises(ValueError, match=r"finite.*image_shape"):
        make_dataset(train=torch.full((4, 6), torch.inf), image_shape=(1, 1))
