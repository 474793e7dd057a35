"""Signal-to-noise ratios against a closed form, and Rainforth's slopes on a small toy."""

import importlib.util
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support import assert_mean
from torch import nn

from iwae_core.bounds.objectives import elbo
from iwae_core.evaluation.gradients import gradient_fan, gradient_snr
from iwae_core.models.networks import DiagonalNormal, standard_normal_log_prob
from iwae_core.models.two_layer import TwoLayerVae
from iwae_core.models.vae import Vae
from iwae_core.places import APP
from iwae_core.rng import make_generator, standard_normal
from iwae_core.sampling.draws import Draws

spec = importlib.util.spec_from_file_location("snr_slopes", APP / "benchmarks" / "snr_slopes.py")
snr_slopes = importlib.util.module_from_spec(spec)
spec.loader.exec_module(snr_slopes)


class Line(nn.Module):
    """z ~ N(0, 1), x | z ~ N(z + theta, s^2), q = N(loc, scale^2); plus an unused parameter."""

    S, SCALE = 0.7, 1.1

    def __init__(self):
        super().__init__()
        self.theta = nn.Parameter(torch.tensor([-0.4], dtype=torch.float64))
        self.loc = nn.Parameter(torch.tensor([0.2], dtype=torch.float64))
        self.unused = nn.Parameter(torch.zeros(3, dtype=torch.float64))

    def draws(self, x, n_samples, generator):
        q = DiagonalNormal(self.loc.expand_as(x), torch.full_like(x, math.log(self.SCALE)))
        eps = standard_normal((n_samples, *x.shape), generator, torch.float64)
        return Draws(
            z=q.from_noise(eps),
            log_likelihood=lambda z: (-0.5 * ((x - z - self.theta) / self.S) ** 2).sum(-1),
            log_prior=standard_normal_log_prob,
            log_q=q.log_prob,
            log_q_path=q.detach().log_prob,
        )


X = torch.tensor([[1.3], [0.1], [0.9]], dtype=torch.float64)


@pytest.mark.parametrize("K", [1, 8])
def test_the_ratio_equals_its_closed_form(K):
    # d ELBO / d theta = mean over 3 points and K draws of (x - z - theta) / s^2: mean
    # (mean x - loc - theta) / s^2, standard deviation scale / (s^2 sqrt(3 K)).
    model = Line()
    report = gradient_snr(
        model,
        X,
        estimators=["reparameterized"],
        n_samples=[K],
        n_repeats=1500,
        generator=make_generator(K),
        objective=elbo,
        groups={"theta": [model.theta], "all": [model.theta, model.unused]},
    )
    signal = (X.mean().item() - 0.2 + 0.4) * math.sqrt(3 * K) / Line.SCALE
    # standard error of an SNR: sqrt((1 + SNR^2 / 2) / R), 3 to 6 %
    error = 5 * math.sqrt((1 + signal**2 / 2) / 1500)
    assert report.snr[0, 0, 0] == pytest.approx(signal, abs=error)
    assert report.norm_snr[0, 0, 0] == pytest.approx(signal, abs=error)
    # parameters that never get a gradient do not dilute the mean
    assert report.snr[0, 0, 1] == pytest.approx(signal, abs=error)
    assert report.n_silent.tolist() == [[[0, 3]]]
    assert all(p.grad is None for p in model.parameters())


def test_three_repeats_have_the_mean_and_deviation_of_three_numbers():
    model = Line()
    report = gradient_snr(
        model,
        X,
        estimators=["reparameterized"],
        n_samples=[2],
        n_repeats=3,
        generator=make_generator(4),
        objective=elbo,
        groups={"theta": [model.theta]},
    )
    # The same noise, three times one after the other; d ELBO / d theta by hand.
    again = make_generator(4)
    eps = torch.stack([standard_normal((2, 3, 1), again, torch.float64) for _ in range(3)])
    residual = X - (0.2 + Line.SCALE * eps) + 0.4
    gradient = (residual / Line.S**2).mean(dim=(1, 2, 3)).numpy()
    signal = abs(gradient.mean()) / gradient.std(ddof=1)
    assert report.snr.item() == pytest.approx(signal, rel=1e-12)
    noise = gradient.var(ddof=1)
    norm = math.sqrt(max(0.0, gradient.mean() ** 2 - noise / 3) / noise)
    assert report.norm_snr.item() == pytest.approx(norm, rel=1e-12)


def test_without_signal_the_ratio_is_the_floor_and_the_norm_is_near_zero():
    model = Line()
    with torch.no_grad():
        model.theta.fill_(X.mean().item() - 0.2)  # the ELBO's optimum in theta
    ratios = []
    for seed in range(60):
        report = gradient_snr(
            model,
            X,
            estimators=["reparameterized"],
            n_samples=[1],
            n_repeats=30,
            generator=make_generator(seed),
            objective=elbo,
            groups={"theta": [model.theta]},
        )
        ratios.append(report.snr.item())
    # spread of |mean| / std is 0.11: 60 repeats find a floor that is off by half
    assert_mean(torch.tensor(ratios), report.snr_floor, allowance=0.01)
    assert report.snr_floor == pytest.approx(0.1457, abs=1e-4)
    assert report.norm_snr.item() < 0.4


def test_more_samples_drown_the_iwae_encoder_gradient_and_serve_the_others():
    # Rainforth's toy at D = 4, N = 64. At R = 300 the floor is 0.05, the weakest ratio 0.1; a
    # slope over K = 4 .. 64 has a spread near 0.05. The theory's -1/2 and +1/2 are the limits.
    toy = snr_slopes.Toy(4, 64, make_generator(0), perturbation=0.05)
    report = gradient_snr(
        toy,
        toy.x,
        estimators=["reparameterized", "doubly_reparameterized"],
        n_samples=[4, 64],
        n_repeats=300,
        generator=make_generator(1),
        groups=toy.groups,
    )
    (plain_encoder, plain_decoder), (doubly_encoder, doubly_decoder) = report.slopes()
    assert -0.7 < plain_encoder < -0.25
    assert 0.3 < doubly_encoder < 0.7
    assert plain_decoder > 0.2
    assert doubly_decoder == pytest.approx(plain_decoder, abs=0.15)
    assert report.snr.min() > 1.5 * report.snr_floor


def test_a_vae_is_split_in_encoder_and_decoder():
    vae = Vae(4, 2, hidden=(5,), generator=make_generator(0))
    x = torch.bernoulli(torch.full((6, 4), 0.3), generator=make_generator(1))
    x[:, 0] = 0.0
    x[0, 1:] = 1.0
    report = gradient_snr(
        vae,
        x,
        estimators=["closed_form_kl", "wake_sleep"],
        n_samples=[1, 2],
        n_repeats=3,
        generator=make_generator(2),
    )
    assert report.groups == ("encoder", "decoder")
    assert report.snr.shape == report.norm_snr.shape == (2, 2, 2)
    assert np.isfinite(report.snr).all()
    # a pixel that is never on leaves its five weights without a gradient
    assert (report.n_silent == np.array([5, 0])).all()


def test_both_encoders_of_a_two_layer_model_count_as_encoder():
    sizes = {"hidden": (4,), "second_hidden": (3,), "generator": make_generator(0)}
    model = TwoLayerVae(5, (2, 1), **sizes)
    x = torch.bernoulli(torch.full((6, 5), 0.5), generator=make_generator(1))
    report = gradient_snr(
        model,
        x,
        estimators=["wake_sleep"],
        n_samples=[1],
        n_repeats=3,
        generator=make_generator(2),
    )
    assert np.isfinite(report.snr).all()
    # One sample weighs one, so the wake-sleep encoder gradient is the mean score of both encoders
    # and the decoder's is that of log p alone: a wrong split would mix them.
    fixed = gradient_snr(
        model,
        x,
        estimators=["wake_sleep"],
        n_samples=[1],
        n_repeats=3,
        generator=make_generator(2),
        groups={
            "both": [*model.encoder.parameters(), *model.second_encoder.parameters()],
            "rest": [
                *model.decoder.parameters(),
                *model.second_decoder.parameters(),
                *model.likelihood.parameters(),
            ],
        },
    )
    np.testing.assert_allclose(report.snr, fixed.snr, rtol=1e-6)
    np.testing.assert_allclose(report.norm_snr, fixed.norm_snr, rtol=1e-6)


def test_a_path_gradient_at_the_posterior_is_silent():
    # Every log weight is then flat along z: stick-the-landing has no encoder gradient at all.
    model = Line()
    variance = 1 / (1 + 1 / Line.S**2)
    with torch.no_grad():
        model.loc.fill_(variance * (1.3 + 0.4) / Line.S**2)
    model.SCALE = math.sqrt(variance)
    report = gradient_snr(
        model,
        X[:1],
        estimators=["stick_the_landing", "reparameterized"],
        n_samples=[3],
        n_repeats=200,
        generator=make_generator(0),
        groups={"loc": [model.loc]},
    )
    fan = gradient_fan(
        model,
        X[:1],
        estimator="stick_the_landing",
        n_samples=3,
        coordinates=((model.loc, 0), (model.theta, 0)),
        n_repeats=5,
        generator=make_generator(0),
    )
    assert np.abs(fan[:, 0]).max() < 1e-12
    assert np.abs(fan[:, 1]).max() > 0.1
    assert report.snr[1, 0, 0] < 0.3


def test_a_fan_holds_the_repeats_of_two_numbers():
    model = Line()
    fan = gradient_fan(
        model,
        X,
        estimator="reparameterized",
        n_samples=2,
        coordinates=((model.theta, 0), (model.loc, 0)),
        n_repeats=800,
        generator=make_generator(3),
        objective=elbo,
    )
    assert fan.shape == (800, 2)
    # closed forms as in tests/bounds/test_surrogates.py; spread near 1, so 0.2 is found
    shift = (X.mean().item() - 0.2 + 0.4) / Line.S**2
    assert_mean(torch.from_numpy(fan[:, 0]), shift)
    assert_mean(torch.from_numpy(fan[:, 1]), shift - 0.2)


def settings_for(model, **changes):
    return {
        "estimators": ["reparameterized"],
        "n_samples": [2],
        "n_repeats": 2,
        "generator": make_generator(0),
        "groups": {"theta": [model.theta]},
    } | changes


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"estimators": ["reparametrized"]}, "did you mean 'reparameterized'"),
        ({"estimators": []}, "at least one estimator"),
        ({"n_samples": [3, 0]}, "every K of n_samples must be at least 1, got 0"),
        ({"n_samples": [2.5]}, "every K of n_samples must be a whole number, got 2.5"),
        ({"n_samples": []}, "at least one estimator and one K"),
        ({"n_repeats": 1}, "n_repeats must be at least 2, got 1"),
        ({"groups": None}, "groups must be given"),
        ({"groups": {}}, "at least one group"),
        ({"groups": {"none": []}}, "group 'none' is empty"),
    ],
)
def test_misuse_is_refused(changes, rule):
    model = Line()
    with pytest.raises(ValueError, match=rule):
        gradient_snr(model, X, **settings_for(model, **changes))


def test_diverged_parameters_and_bad_data_are_refused():
    model = Line()
    with pytest.raises(ValueError, match="NaN or an infinity"):
        gradient_snr(model, X * math.nan, **settings_for(model))
    with pytest.raises(ValueError, match=r"index must lie in \[0, 1\)"):
        gradient_fan(
            model,
            X,
            estimator="piwae",
            n_samples=1,
            n_repeats=1,
            coordinates=((model.theta, 0), (model.theta, 1)),
            generator=make_generator(0),
        )
    report = gradient_snr(model, X, **settings_for(model))
    with pytest.raises(ValueError, match="two values of K"):
        report.slopes()
    with torch.no_grad():
        model.theta.fill_(math.nan)
    with pytest.raises(ValueError, match="not finite at K = 2"):
        gradient_snr(model, X, **settings_for(model))


@settings(max_examples=15)
@given(
    K=st.integers(1, 4),
    R=st.integers(2, 4),
    estimator=st.sampled_from(["reparameterized", "doubly_reparameterized", "piwae"]),
    theta=st.floats(-30, 30),
)
def test_any_point_gives_ratios_and_no_nan(K, R, estimator, theta):
    model = Line()
    with torch.no_grad():
        model.theta.fill_(theta)
    changes = {"n_samples": [K], "n_repeats": R, "estimators": [estimator]}
    report = gradient_snr(model, X, **settings_for(model, **changes))
    assert (report.snr >= 0).all()
    assert (report.norm_snr >= 0).all()
