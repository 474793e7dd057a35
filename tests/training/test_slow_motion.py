"""Slow motion: what it takes apart adds up to the gradient of the whole, found another way."""

import dataclasses

import numpy as np
import pytest
import torch

from iwae_core.bounds.objectives import make_objective
from iwae_core.rng import stream
from iwae_core.training import TrainConfig, advance, begin, model_of
from iwae_core.training.glance import probe
from iwae_core.training.slow_motion import MOST_SHOWN, slow_motion

SMALL = TrainConfig(dataset="digits", n_samples=5, latent_dim=3, hidden=(12, 12), seed=4)
STATE = advance(begin(SMALL), 30).state


def state_of(**changes):
    """The run's network under other settings that leave its shape alone."""
    return dataclasses.replace(STATE, config=dataclasses.replace(SMALL, **changes))


def drawn(state, index, seed):
    """The network in float64, one datapoint, and the same K samples."""
    model = model_of(state).double()
    x = torch.from_numpy(probe("digits", None).x[index : index + 1]).double()
    draws = model.draws(x, state.config.n_samples, stream(seed, "slow motion", index))
    return model, x, draws


def lengths(model, scalar):
    """Length of the encoder's and of the decoder's gradient of a scalar."""
    named = dict(model.named_parameters())
    found = torch.autograd.grad(scalar, list(named.values()), retain_graph=True, allow_unused=True)
    parts = {"encoder": 0.0, "decoder": 0.0}
    for name, gradient in zip(named, found, strict=True):
        if gradient is not None:
            part = "encoder" if name.startswith("encoder") else "decoder"
            parts[part] += gradient.square().sum().item()
    return {part: total**0.5 for part, total in parts.items()}


def assert_adds_up(report, expected):
    for part in ("encoder", "decoder"):
        pulls = getattr(report, part)
        assert pulls.total == pytest.approx(expected[part], rel=1e-9)
        together = pulls.along.sum() + pulls.rest_along + pulls.kl_along
        assert together == pytest.approx(pulls.total, rel=1e-9)
        assert (np.abs(pulls.along) <= pulls.norm * (1 + 1e-9)).all()


@pytest.mark.parametrize(
    ("objective", "setting"),
    [("iwae", None), ("elbo", None), ("renyi", 0.5), ("ciwae", 0.3), ("miwae", 2.0)],
)
@pytest.mark.parametrize("K", [6, 40])
def test_contributions_add_up_to_the_gradient_of_the_whole_objective(objective, setting, K):
    state = state_of(objective=objective, objective_setting=setting, n_samples=K)
    report = slow_motion(state, 7, 2)
    model, _, draws = drawn(state, 7, 2)
    whole = make_objective(objective, setting)(draws.log_w()).sum()
    assert report.objective == pytest.approx(whole.item(), abs=1e-9)
    assert_adds_up(report, lengths(model, whole))
    assert len(report.z) == min(K, MOST_SHOWN)
    if K <= MOST_SHOWN:
        assert report.encoder.rest_along == report.decoder.rest_along == 0
        assert report.share.sum() == pytest.approx(1)


def test_every_number_of_a_sample_equals_the_models_own():
    state = state_of(n_samples=40)
    report = slow_motion(state, 3, 9)
    model, x, draws = drawn(state, 3, 9)
    with torch.no_grad():
        log_joint = model.log_joint(x, draws.z)[:, 0].numpy()
        log_q = model.posterior(x).log_prob(draws.z)[:, 0].numpy()
        decoded = model.decode(draws.z[:, 0]).numpy()
    at = report.number
    np.testing.assert_allclose(report.log_joint, log_joint[at], atol=1e-9)
    np.testing.assert_allclose(report.log_q, log_q[at], atol=1e-9)
    log_w = log_joint - log_q
    np.testing.assert_allclose(report.all_log_w, log_w, atol=1e-9)
    w = np.exp(log_w - log_w.max())
    np.testing.assert_allclose(report.weight, (w / w.sum())[at], atol=1e-12)
    np.testing.assert_allclose(report.share, report.weight, atol=1e-12)
    np.testing.assert_allclose(report.decoded, decoded[at], atol=1e-12)
    assert (np.diff(report.weight) <= 0).all()
    assert set(at) == set(np.argsort(-w)[:MOST_SHOWN])
    assert report.ess == pytest.approx(w.sum() ** 2 / (w**2).sum())
    assert report.elbo == pytest.approx(log_w.mean())
    assert report.bound == pytest.approx(np.log(w.mean()) + log_w.max())
    q = model.posterior(x)
    kl = q.kl_to_standard()[0].detach().numpy()
    assert set(report.axes) == set(np.argsort(-kl)[:2])
    np.testing.assert_allclose(report.z, draws.z[at, 0][:, list(report.axes)].detach())


def test_the_elbo_gives_every_sample_the_same_share():
    report = slow_motion(state_of(objective="elbo"), 0, 1)
    np.testing.assert_allclose(report.share, 1 / 5)
    assert report.weighted


def test_the_closed_form_kl_uses_no_weights_and_has_a_term_of_its_own():
    state = state_of(objective="elbo", estimator="closed_form_kl", n_samples=20)
    report = slow_motion(state, 5, 1)
    model, x, draws = drawn(state, 5, 1)
    kl = model.posterior(x).kl_to_standard().sum()
    whole = draws.log_likelihood(draws.z).mean() - kl
    assert not report.weighted
    assert report.objective == pytest.approx(whole.item(), abs=1e-9)
    assert_adds_up(report, lengths(model, whole))
    assert report.decoder.kl_along == pytest.approx(0, abs=1e-12)  # the KL has no decoder in it
    assert report.encoder.kl_along != 0
    np.testing.assert_allclose(report.share, 1 / 20)


@pytest.mark.parametrize(
    ("estimator", "factor"),
    [("stick_the_landing", 1), ("doubly_reparameterized", 2), ("wake_sleep", 1), ("piwae", 1)],
)
def test_other_estimators_add_up_to_their_own_gradient(estimator, factor):
    state = state_of(estimator=estimator, n_samples=7)
    report = slow_motion(state, 2, 3)
    # The encoder's shares by the theory of the IWAE bound; the decoder's are its weights.
    np.testing.assert_allclose(report.encoder_share, report.weight**factor, atol=1e-12)
    np.testing.assert_allclose(report.share, report.weight, atol=1e-12)
    model, x, draws = drawn(state, 2, 3)
    decoder = lengths(model, make_objective("iwae", None)(draws.log_w()).sum())["decoder"]
    w = torch.softmax(draws.log_w().detach(), dim=0)
    if estimator == "wake_sleep":
        by_hand = (w * model.posterior(x).log_prob(draws.z.detach())).sum()
    elif estimator == "piwae":
        by_hand = make_objective("iwae", None)(draws.log_w()).sum()
    else:
        path = model.log_joint(x, draws.z) - model.posterior(x).detach().log_prob(draws.z)
        by_hand = (w**factor * path).sum()
    assert_adds_up(report, {"decoder": decoder, "encoder": lengths(model, by_hand)["encoder"]})


def test_a_warm_up_tempers_the_weights():
    state = state_of(kl_schedule="linear", kl_steps=60, beta=0.8)
    report = slow_motion(state, 1, 1)
    assert report.beta == pytest.approx(0.8 * 0.5)  # step 30 of 60
    model, _, draws = drawn(state, 1, 1)
    np.testing.assert_allclose(
        report.all_log_w, draws.log_w(report.beta)[:, 0].detach(), atol=1e-9
    )
    assert_adds_up(report, lengths(model, make_objective("iwae", None)(draws.log_w(0.4)).sum()))


@pytest.mark.parametrize(
    "changes",
    [
        {"second_latent_dim": 2, "second_hidden": (6,)},
        {"decoder": "autoregressive"},
        {"dataset": "moons"},
        {"latent_dim": 1},
    ],
)
def test_every_kind_of_model_can_be_watched(changes):
    report = slow_motion(begin(dataclasses.replace(SMALL, **changes)), 0, 1)
    for pulls in (report.encoder, report.decoder):
        assert pulls.along.sum() + pulls.rest_along == pytest.approx(pulls.total, rel=1e-9)
    assert (report.decoded is None) == (changes.get("decoder") == "autoregressive")


@pytest.mark.parametrize("index", [-1, 300, 1.5])
def test_a_datapoint_that_is_not_there_is_refused(index):
    with pytest.raises(ValueError, match="index must lie in"):
        slow_motion(STATE, index, 1)
