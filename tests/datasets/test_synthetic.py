"""The clouds in the plane have the geometry that their docstrings state."""

import math

import pytest
import torch
from support import assert_mean

from iwae_core.datasets import gaussians, moons, pinwheel, rings
from iwae_core.rng import make_generator

CLOUDS = [(moons, 2), (pinwheel, 5), (rings, 3), (gaussians, 25)]


@pytest.mark.parametrize(("cloud", "n_parts"), CLOUDS)
def test_a_cloud_has_the_stated_shapes_and_equally_likely_parts(cloud, n_parts):
    # n = 20,000: the share of a part is off by more than 10 * sqrt(p / n) < 0.035 with
    # certainty found, |z| > 5 by chance 6e-7 per part.
    x, labels = cloud(20_000, make_generator(1))
    assert x.shape == (20_000, 2)
    assert x.dtype == torch.float32
    assert labels.dtype == torch.int64
    assert labels.unique().tolist() == list(range(n_parts))
    for part in range(n_parts):
        assert_mean((labels == part).double(), 1 / n_parts)


@pytest.mark.parametrize("cloud", [cloud for cloud, _ in CLOUDS])
def test_equal_seeds_give_equal_clouds_whatever_the_global_stream_holds(cloud):
    torch.manual_seed(0)
    x, labels = cloud(50, make_generator(7))
    torch.manual_seed(1)
    again, labels_again = cloud(50, make_generator(7))
    other, _ = cloud(50, make_generator(8))
    assert torch.equal(x, again)
    assert torch.equal(labels, labels_again)
    assert not torch.equal(x, other)


def test_moons_without_noise_lie_on_their_two_half_circles():
    x, labels = moons(1000, make_generator(2), noise=0.0)
    upper, lower = x[labels == 0], x[labels == 1]
    torch.testing.assert_close(upper.norm(dim=1), torch.ones(len(upper)))
    assert (upper[:, 1] >= 0).all()
    from_center = lower - torch.tensor([1.0, 0.5])
    torch.testing.assert_close(from_center.norm(dim=1), torch.ones(len(lower)))
    assert (from_center[:, 1] <= 0).all()


def test_moons_have_the_exact_mean_and_the_stated_noise():
    # Off-centre on both axes. sd of a coordinate is at most 0.9, so n = 40,000 draws find any
    # shift above 10 * 0.9 / 200 = 0.045 almost surely.
    x, labels = moons(40_000, make_generator(3), noise=0.1)
    assert_mean(x[:, 0], 0.5)
    assert_mean(x[:, 1], 0.25)
    assert_mean(x[labels == 0][:, 1], 2 / math.pi)
    # E|x|^2 on the upper moon is 1 + 2 noise^2.
    assert_mean(x[labels == 0].square().sum(dim=1), 1.02)


def test_pinwheel_arms_without_width_follow_the_stated_spiral():
    # At radius a, arm c lies at the angle 2 pi c / 5 + rate e^a, counterclockwise.
    x, labels = pinwheel(500, make_generator(4), tangential_noise=0.0, radial_noise=0.1)
    a = x.norm(dim=1)
    angle = 2 * math.pi * labels / 5 + 0.25 * a.exp()
    torch.testing.assert_close(x[:, 0], a * angle.cos(), atol=1e-5, rtol=0)
    torch.testing.assert_close(x[:, 1], a * angle.sin(), atol=1e-5, rtol=0)


def test_pinwheel_keeps_the_radius_of_its_unbent_gaussian():
    # |x|^2 = a^2 + b^2 with mean 1 + 0.3^2 + 0.1^2; sd 0.65, so n = 20,000 finds 0.05.
    x, _ = pinwheel(20_000, make_generator(5), radial_noise=0.3, tangential_noise=0.1)
    assert_mean(x.square().sum(dim=1), 1.10)


def test_ring_c_has_radius_c_plus_one_all_the_way_round():
    x, labels = rings(900, make_generator(6), n_rings=4, noise=0.0)
    torch.testing.assert_close(x.norm(dim=1), (labels + 1).float())
    quadrant = 2 * (x[:, 0] > 0) + (x[:, 1] > 0)
    for ring in range(4):
        assert len(quadrant[labels == ring].unique()) == 4


def test_ring_noise_is_radial_with_the_stated_size():
    x, labels = rings(20_000, make_generator(7), noise=0.1)
    off = x.norm(dim=1) - (labels + 1)
    assert_mean(off, 0.0)
    assert_mean(off.square(), 0.01)


def test_gaussians_stand_on_the_integers_below_side():
    x, labels = gaussians(500, make_generator(8), side=3, noise=0.0)
    torch.testing.assert_close(x[:, 0], (labels % 3).float())
    torch.testing.assert_close(x[:, 1], (labels // 3).float())


def test_gaussians_have_the_exact_mean_and_variance():
    # sd of a coordinate 1.42 and of its squared deviation 1.68: n = 20,000 finds 0.12.
    x, _ = gaussians(20_000, make_generator(9), side=5, noise=0.1)
    for axis in (0, 1):
        assert_mean(x[:, axis], 2.0)
        assert_mean((x[:, axis] - 2).square(), 24 / 12 + 0.01)


@pytest.mark.parametrize("cloud", [cloud for cloud, _ in CLOUDS])
def test_an_empty_cloud_is_refused(cloud):
    with pytest.raises(ValueError, match="n must be at least 1, got 0"):
        cloud(0, make_generator(0))


@pytest.mark.parametrize(
    ("cloud", "setting", "value"),
    [
        (moons, "noise", -0.1),
        (moons, "noise", math.nan),
        (pinwheel, "n_arms", 0),
        (pinwheel, "rate", math.nan),
        (pinwheel, "tangential_noise", math.inf),
        (pinwheel, "radial_noise", -1.0),
        (rings, "n_rings", 0),
        (rings, "noise", -1.0),
        (gaussians, "side", 0),
        (gaussians, "side", -2),
        (gaussians, "noise", -1.0),
    ],
)
def test_impossible_settings_are_refused_with_the_value(cloud, setting, value):
    with pytest.raises(ValueError, match=f"{setting} .*got {value}"):
        cloud(10, make_generator(0), **{setting: value})
