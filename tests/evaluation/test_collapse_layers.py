"""Activity per stochastic layer as Burda et al. define it, on an encoder with known means."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from iwae_core.evaluation import collapse_report
from iwae_core.models.two_layer import TwoLayerVae
from iwae_core.models.vae import Vae
from iwae_core.rng import make_generator

SCALE = 0.8  # of q(z1 | x)


def rectified():
    """z1_1 ~ N(2 x_1 - 0.5, 0.8^2), z1_2 ~ N(0, 0.8^2); z2 ~ N((relu(z1_1), 0, -1), 0.5^2)."""
    model = TwoLayerVae(
        2, (2, 3), hidden=(2,), second_hidden=(2,), activation="relu", generator=make_generator(0)
    ).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        model.encoder[0].layers[0].weight[0, 0] = 1.0
        head = model.encoder[1].layer
        head.weight[0, 0] = 2.0
        head.bias.copy_(torch.tensor([-0.5, 0.0, math.log(SCALE), math.log(SCALE)]))
        model.second_encoder[0].layers[0].weight[0, 0] = 1.0
        second = model.second_encoder[1].layer
        second.weight[0, 0] = 1.0
        second.bias[2] = -1.0
        second.bias[3:] = math.log(0.5)
    return model


def points(n=600):
    # One row in three has x_1 = 1.
    x = torch.zeros(n, 2, dtype=torch.float64)
    x[: n // 3, 0] = 1
    return x


def mean_of_relu(mu):
    return mu * stats.norm.cdf(mu / SCALE) + SCALE * stats.norm.pdf(mu / SCALE)


def test_layer_two_is_active_by_its_mean_over_draws_of_layer_one():
    report = collapse_report(rectified(), points(), make_generator(1), n_samples=400)
    assert report.layer_dims == (2, 3)
    assert report.active.tolist() == [True, False, True, False, False]
    assert report.n_active == 2
    assert report.n_active_per_layer == (1, 1)
    share = (1 / 3) * (2 / 3)  # variance of a bit that is on once in three
    # Not relu(1.5) - relu(-0.5) = 1.5, and not with the spread of single draws on top.
    step = mean_of_relu(1.5) - mean_of_relu(-0.5)
    assert step == pytest.approx(1.380, abs=1e-3)
    expected = [share * 2.0**2, 0, share * step**2, 0, 0]
    np.testing.assert_allclose(report.mean_variance, expected, atol=0.01)


def test_the_costs_of_both_layers_are_those_of_their_densities():
    report = collapse_report(rectified(), points(), make_generator(1), n_samples=400)
    # p(z1 | z2) = N(0, 1) here, so layer 1 costs its plain KL; so does unit 2 of layer 2.
    spread = 0.5 * (SCALE**2 - 1) - math.log(SCALE)
    second = 0.5 * (0.25 - 1) - math.log(0.5)
    loc_square = (1.5**2 + 2 * 0.5**2) / 3
    relu_square = np.mean(
        [
            (mu**2 + SCALE**2) * stats.norm.cdf(mu / SCALE)
            + mu * SCALE * stats.norm.pdf(mu / SCALE)
            for mu in (1.5, -0.5, -0.5)
        ]
    )
    expected = [
        0.5 * loc_square + spread,
        spread,
        0.5 * relu_square + second,
        second,
        second + 0.5,
    ]
    np.testing.assert_allclose(report.kl_per_dim, expected, atol=0.02)


def test_the_information_is_that_of_the_layer_next_to_the_data():
    report = collapse_report(rectified(), points(), make_generator(1))
    # Layer 1 holds one noisy bit: between nothing and the entropy of the bit.
    assert 0.3 < report.mutual_information < stats.entropy([1 / 3, 2 / 3])


def test_one_layer_is_reported_as_one():
    model = Vae(2, 3, hidden=(4,), generator=make_generator(0)).double()
    report = collapse_report(model, points(), make_generator(1))
    assert report.layer_dims == (3,)
    assert report.n_active_per_layer == (report.n_active,)
    q = model.posterior(points())
    np.testing.assert_allclose(report.kl_per_dim, q.kl_to_standard().mean(dim=0).detach())
