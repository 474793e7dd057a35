r"""Collapse, unit by unit, on a VAE whose weights are set by hand so that everything is known.

relu(a) - relu(-a) = a makes the networks linear: E[z | x] = A x + a0, E[x | z] = C z + c0.
Unit 0 follows x_1, unit 1 is collapsed, unit 2 has a KL but is the same for every x, and unit 3
follows x_2 faintly: active by Burda's rule, and its KL is small.
"""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from iwae_core.evaluation.collapse import collapse_report, log_aggregate
from iwae_core.evaluation.units import (
    aggregate_kl,
    collapsed_units,
    decoder_sensitivity,
    latent_swap,
)
from iwae_core.models.networks import DiagonalNormal
from iwae_core.models.two_layer import TwoLayerVae
from iwae_core.models.vae import Vae
from iwae_core.rng import make_generator, standard_normal

ENCODER = torch.tensor([[0.8, 0.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.15]], dtype=torch.float64)
ENCODER_BIAS = torch.tensor([0.0, 0.0, 1.5, 0.0], dtype=torch.float64)
SCALE = torch.tensor([0.6, 1.0, 1.0, 1.0], dtype=torch.float64)
DECODER = torch.tensor([[1.2, 0.0, 0.3, 0.0], [-0.5, 0.0, 0.4, 0.7]], dtype=torch.float64)
DECODER_BIAS = torch.tensor([0.2, -0.1], dtype=torch.float64)


def hand_set(encoder=ENCODER, bias=ENCODER_BIAS, scale=SCALE):
    d = len(encoder)
    width = 2 * max(2, d)  # both networks share their hidden width
    vae = Vae(
        2,
        d,
        hidden=(width,),
        likelihood="gaussian",
        activation="relu",
        generator=make_generator(0),
    ).double()
    with torch.no_grad():
        for parameter in vae.parameters():
            parameter.zero_()
        plus_minus(vae.encoder[0].layers[0].weight, vae.encoder[1].layer.weight, encoder)
        vae.encoder[1].layer.bias.copy_(torch.cat([bias, scale.log()]))
        plus_minus(vae.decoder.layers[0].weight, vae.likelihood.loc.weight, DECODER[:, :d])
        vae.likelihood.loc.bias.copy_(DECODER_BIAS)
    return vae


def plus_minus(inner, outer, matrix):
    """Set two layers with a relu between them to the linear map ``matrix``."""
    n_out, n_in = matrix.shape
    inner[:n_in] = torch.eye(n_in)
    inner[n_in : 2 * n_in] = -torch.eye(n_in)
    outer[:n_out, :n_in] = matrix
    outer[:n_out, n_in : 2 * n_in] = -matrix


def data(n, seed=1):
    return standard_normal((n, 2), make_generator(seed), torch.float64)


def test_the_hand_set_networks_are_the_linear_maps():
    vae, x = hand_set(), data(5)
    loc, scale = vae.encode(x)
    torch.testing.assert_close(loc, x @ ENCODER.T + ENCODER_BIAS)
    torch.testing.assert_close(scale, SCALE.expand_as(loc))
    torch.testing.assert_close(vae.decode(loc), loc @ DECODER.T + DECODER_BIAS)


def test_kl_and_activity_have_their_closed_forms_on_the_stated_set():
    x = data(300)
    report = collapse_report(hand_set(), x, make_generator(2))
    loc = (x @ ENCODER.T + ENCODER_BIAS).numpy()
    kl = 0.5 * (loc**2 + SCALE.numpy() ** 2 - 1) - np.log(SCALE.numpy())
    np.testing.assert_allclose(report.kl_per_dim, kl.mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(report.mean_variance, loc.var(axis=0, ddof=0), atol=1e-12)
    assert report.active.tolist() == [True, False, False, True]
    assert report.n_active == 2
    assert report.n_points == 300
    # the two readings disagree both ways: much KL without activity, activity with little KL
    assert report.kl_per_dim[2] > 1
    assert report.kl_per_dim[3] < 0.02


def test_the_variance_has_ddof_zero():
    # Two points: ddof 1 would double it and call the unit active.
    x = torch.tensor([[0.0, -1.0], [0.0, 1.0]], dtype=torch.float64)
    faint = 0.099 / 0.15 * ENCODER
    report = collapse_report(hand_set(encoder=faint), x, make_generator(0))
    assert report.mean_variance[3] == pytest.approx(0.099**2)
    assert not report.active[3]


def test_mutual_information_is_the_channel_s_and_never_passes_its_cap():
    # One unit, x_1 ~ N(0, 1), z = 0.8 x + 0.6 eps: I = 0.5 log(1 / 0.36), and q(z) = N(0, 1).
    one = hand_set(ENCODER[:1], ENCODER_BIAS[:1], SCALE[:1])
    report = collapse_report(one, data(2500), make_generator(3))
    # the spread of log q(z|x) - log q(z) is 0.8: over 2500 points 0.016, so 0.08 is found
    assert report.mutual_information == pytest.approx(0.5 * math.log(1 / 0.36), abs=0.08)
    # distinct narrow posteriors carry more than 20 points can show
    sharp = hand_set(300 * ENCODER[:1], ENCODER_BIAS[:1], 0.01 * SCALE[:1])
    capped = collapse_report(sharp, data(20), make_generator(4))
    assert capped.mutual_information_cap == pytest.approx(math.log(20))
    assert capped.mutual_information == pytest.approx(math.log(20), abs=1e-6)
    assert capped.kl_per_dim[0] > 1000


def test_the_mean_kl_is_information_plus_the_aggregate_kl():
    vae, x = hand_set(), data(1500)
    report = collapse_report(vae, x, make_generator(5))
    aggregate = aggregate_kl(vae, x, make_generator(6), n_samples=2)
    # q(z) is close to N((0, 0, 1.5, 0), 1): KL 1.125; both terms err by about 0.03
    assert aggregate == pytest.approx(1.125, abs=0.15)
    total = report.mutual_information + aggregate
    assert total == pytest.approx(report.kl_per_dim.sum(), abs=0.2)
    # with the same draws the identity holds to rounding, with log q - log p drawn as well
    z = vae.draws(x, 1, make_generator(5)).z
    q = vae.posterior(x)
    drawn = (q.log_prob(z) - vae.draws(x, 1, make_generator(5)).log_prior(z)).mean().item()
    same = aggregate_kl(vae, x, make_generator(5))
    assert report.mutual_information + same == pytest.approx(drawn, abs=1e-9)


def test_a_prior_that_is_matched_costs_nothing_in_aggregate():
    one = hand_set(ENCODER[:1], ENCODER_BIAS[:1], SCALE[:1])
    # spread of log q(z) - log p(z) is 0.05
    assert aggregate_kl(one, data(2000), make_generator(0)) == pytest.approx(0, abs=0.02)


def test_the_aggregate_is_the_mixture_density():
    q = DiagonalNormal(data(7), 0.3 * data(7, seed=2))
    z = data(50, seed=3)
    normal = torch.distributions.Normal(q.loc, q.scale)
    expected = normal.log_prob(z.unsqueeze(1)).sum(-1).exp().mean(dim=1).log()
    torch.testing.assert_close(log_aggregate(q, z), expected)


def test_collapse_is_counted_point_by_point():
    # Unit 0 of 100 points: the KL is above epsilon at exactly the k points that are far out.
    unit = hand_set(ENCODER[:1], ENCODER_BIAS[:1], torch.ones(1, dtype=torch.float64))
    x = torch.zeros(100, 2, dtype=torch.float64)
    x[:2, 0] = 3.0  # KL = 0.5 * 2.4^2
    for delta, expected in ((0.0, False), (0.01, False), (0.02, True), (0.5, True)):
        found = collapsed_units(unit, x, make_generator(0), delta=delta)
        assert found.tolist() == [expected]
    assert collapsed_units(unit, x, make_generator(0), epsilon=3.0, delta=0.0).tolist() == [True]
    all_units = collapsed_units(hand_set(), data(100), make_generator(0), epsilon=0.1)
    assert all_units.tolist() == [False, True, False, True]


def test_sensitivity_of_a_linear_decoder_is_its_columns_norm():
    expected = DECODER.norm(dim=0).numpy()
    for step in (0.01, 0.5, 3.0):
        found = decoder_sensitivity(hand_set(), data(9), step=step)
        np.testing.assert_allclose(found, expected, atol=1e-12)
    assert found[1] == 0


def test_a_swap_moves_the_decoded_data_by_the_columns_swapped():
    vae = hand_set()
    x = torch.tensor([[1.0, 0.5], [-0.4, 2.0]], dtype=torch.float64)
    report = latent_swap(vae, x, [0, 3])
    gap = (x[1] - x[0]) @ ENCODER.T
    moved = DECODER[:, [0, 3]] @ gap[[0, 3]]
    np.testing.assert_allclose(report.after[0] - report.before[0], moved, atol=1e-12)
    np.testing.assert_allclose(report.after[1] - report.before[1], -moved, atol=1e-12)
    np.testing.assert_allclose(report.distance, [moved.norm().item()] * 2)
    nothing = latent_swap(vae, x, [1, 2])  # a collapsed and a constant unit
    np.testing.assert_allclose(nothing.distance, 0, atol=1e-12)
    everything = latent_swap(vae, x, range(4))
    np.testing.assert_allclose(everything.after, everything.before[::-1], atol=1e-12)


@pytest.mark.parametrize(
    ("call", "rule"),
    [
        (lambda v: collapse_report(v, data(1), make_generator(0)), "at least 2 rows"),
        (lambda v: collapsed_units(v, data(3), make_generator(0), epsilon=0), "epsilon"),
        (lambda v: collapsed_units(v, data(3), make_generator(0), delta=1.0), "got 0.01 and 1.0"),
        (lambda v: collapsed_units(v, data(3) * math.nan, make_generator(0)), "NaN"),
        (lambda v: aggregate_kl(v, data(1), make_generator(0)), "at least 2 rows"),
        (lambda v: aggregate_kl(v, data(3), make_generator(0), n_samples=0), "n_samples"),
        (lambda v: aggregate_kl(two_layers(), data(3).float(), make_generator(0)), "one stoch"),
        (lambda v: decoder_sensitivity(v, data(3), step=0.0), "step must be positive"),
        (lambda v: decoder_sensitivity(v, data(3)[:, :1]), r"shape \(B, 2\)"),
        (lambda v: latent_swap(v, data(3), [0]), "two datapoints"),
        (lambda v: latent_swap(v, data(2), [0, 4]), r"units must lie in \[0, 4\), got \[4\]"),
    ],
)
def test_bad_input_is_refused(call, rule):
    with pytest.raises(ValueError, match=rule):
        call(hand_set())


def two_layers():
    return TwoLayerVae(2, (2, 1), hidden=(4,), second_hidden=(3,), generator=make_generator(0))


@settings(max_examples=20)
@given(
    n=st.integers(2, 6),
    size=st.floats(0, 1e3),
    epsilon=st.floats(1e-6, 10),
    delta=st.floats(0, 0.99),
)
def test_any_data_give_finite_measures(n, size, epsilon, delta):
    vae, x = hand_set(), size * data(n)
    report = collapse_report(vae, x, make_generator(0))
    assert np.isfinite(report.kl_per_dim).all()
    assert report.mutual_information <= report.mutual_information_cap + 1e-9
    assert math.isfinite(aggregate_kl(vae, x, make_generator(0)))
    collapsed = collapsed_units(vae, x, make_generator(0), epsilon=epsilon, delta=delta)
    assert collapsed[1]
    assert np.isfinite(decoder_sensitivity(vae, x)).all()
