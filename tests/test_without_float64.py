"""A device that has no float64 gives the numbers of the CPU, with no help but its own float32.

The stand-in raises where anything asks it for float64, or mixes its tensors with the CPU's.
"""

import contextlib
import dataclasses
import math

import numpy as np
import pytest
import torch
from without_float64 import DEVICE, Generator, There, elsewhere

from iwae_core import rng
from iwae_core.bounds.debias import Jackknife, delta_method
from iwae_core.bounds.exact import expected_bound
from iwae_core.bounds.sumo import Sumo
from iwae_core.evaluation import collapse_report, log_likelihood
from iwae_core.evaluation.ais import AisConfig, ais, prior_start
from iwae_core.evaluation.gradients import gradient_fan, gradient_snr
from iwae_core.evaluation.posterior import (
    Grid,
    exact_posterior,
    implicit_posterior,
    kl_on_grid,
    resampled_posterior,
)
from iwae_core.evaluation.studies import use_cases
from iwae_core.evaluation.units import (
    aggregate_kl,
    collapsed_units,
    decoder_sensitivity,
    latent_swap,
)
from iwae_core.models.linear_gaussian import LinearGaussian
from iwae_core.models.vae import Vae
from iwae_core.rng import make_generator, uniform
from iwae_core.sampling import estimators, multiple, psis, resampling, weights
from iwae_core.sampling.densities import (
    Gaussian,
    Mixture,
    MultivariateMixture,
    Normal,
    StudentT,
    Tabulated,
)
from iwae_core.training import TrainConfig, advance, begin, trials
from iwae_core.training.frame import observe
from iwae_core.training.twin_look import look


def there(seed):
    return Generator().manual_seed(seed)


def numbers(n_rows=400):
    log_w = 3 * torch.randn(n_rows, 5, generator=make_generator(0))
    return torch.randn(n_rows, 5, generator=make_generator(1)), log_w


def same(found, expected, rtol=1e-6, atol=1e-6):
    """Hold that ``found`` lies on the stand-in, in float32, and has the numbers expected."""
    assert isinstance(found, There)
    assert found.dtype is expected.dtype
    torch.testing.assert_close(found.held, expected, rtol=rtol, atol=atol)


def test_the_stand_in_refuses_what_the_real_device_refuses(monkeypatch):
    with elsewhere(monkeypatch):
        values = There(torch.ones(3))
        with pytest.raises(TypeError, match="no such type"):
            values.double()
        with pytest.raises(TypeError, match="no such type"):
            torch.zeros(3, dtype=torch.float64, device=DEVICE)
        with pytest.raises(RuntimeError, match="two devices"):
            values + torch.ones(3)
        with pytest.raises(TypeError, match="no such type"):
            torch.rand(3, generator=there(0), device=DEVICE, dtype=torch.float64)


TAILS = {
    "k_hat": psis.k_hat,
    "smoothed": lambda log_w: psis.smooth(log_w)[0],
    "jackknife": Jackknife(2),
    "delta method": delta_method,
    "ess": weights.ess,
}


@pytest.mark.parametrize("name", TAILS)
def test_functions_of_the_weights(name, monkeypatch):
    log_w = numbers(60)[1]
    expected = TAILS[name](log_w)
    with elsewhere(monkeypatch):
        found = TAILS[name](There(log_w))
    same(found, expected)


ESTIMATORS = {
    "importance": estimators.importance,
    "self-normalized": estimators.self_normalized,
    "smoothed": estimators.pareto_smoothed,
    "control variate": estimators.control_variate,
    "multiple": lambda f, log_w: multiple.multiple_importance(f, log_w, [100, 300]),
    "plain": lambda f, log_w: estimators.monte_carlo(f),
}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_estimators(name, monkeypatch):
    f, log_w = numbers()
    expected = ESTIMATORS[name](f, log_w)
    with elsewhere(monkeypatch):
        found = ESTIMATORS[name](There(f), There(log_w))
    for field in dataclasses.fields(expected):
        same(getattr(found, field.name), getattr(expected, field.name))


@pytest.mark.parametrize(
    "scheme", [resampling.multinomial, resampling.stratified, resampling.systematic]
)
def test_resampling_copies_draws_as_often_as_their_weights_say(scheme, monkeypatch):
    # Stratified and systematic copies are within one of n w; multinomial ones within six sigma.
    f, log_w = numbers(50)
    n = 20_000
    expected = n * weights.normalize(log_w)
    with elsewhere(monkeypatch):
        indices = scheme(There(log_w), n, there(3))
        estimate = resampling.resampled(There(f), There(log_w), n, there(3), scheme)
    same(estimate.value, estimators.self_normalized(f, log_w).value, atol=0.2)
    counts = torch.stack([torch.bincount(column, minlength=50) for column in indices.held.T], 1)
    slack = 6 * expected.sqrt() if scheme is resampling.multinomial else 2.0
    assert ((counts - expected).abs() <= slack + 1e-2).all()


def test_sumo_stops_as_often_as_its_survival_function_says_and_sums_the_same(monkeypatch):
    sumo, n = Sumo(n_base=1, tail_start=5, tail_ratio=0.5), 200_000
    with elsewhere(monkeypatch):
        drawn = sumo.draw_n_samples((n,), there(0))
    assert isinstance(drawn, There)
    for t in (2, 5, 8):
        expected = sumo.survival(torch.tensor(t)).item()
        sigma = math.sqrt(expected * (1 - expected) / n)
        assert abs(((drawn.held - 1) >= t).double().mean().item() - expected) < 5 * sigma
    log_w, counts = numbers(30)[1], torch.tensor([2, 5, 30, 7, 9])
    expected = sumo(log_w, counts)
    with elsewhere(monkeypatch):
        found = sumo(There(log_w), There(counts))
    same(found, expected, rtol=1e-5)


def test_uniform_numbers_have_more_than_float32_s_24_bits(monkeypatch):
    with elsewhere(monkeypatch):
        u = uniform((1000,), there(0))
    assert type(u) is torch.Tensor
    assert ((u >= 0) & (u < 1)).all()
    assert (u * 2**24 != (u * 2**24).round()).double().mean() > 0.99
    assert (u * 2**48 == (u * 2**48).round()).all()


DENSITIES = {
    "normal": Normal(1.0, 2.0),
    "student": StudentT(0.5, 1.0, 4.0),
    "drawn": Tabulated((-1.0, 0.0, 2.0), (0.0, 1.0, 0.5)),
    "mixture": Mixture((Normal(-2.0, 0.5), Normal(3.0, 1.0)), (0.3, 0.7)),
    "gaussian": Gaussian((1.0, -1.0), ((1.0, 0.5), (0.5, 2.0))),
    "mixture in 2 d": MultivariateMixture(
        (Gaussian((1.0,), ((1.0,),)), Gaussian((-2.0,), ((0.25,),))), (0.4, 0.6)
    ),
}


@pytest.mark.parametrize("name", DENSITIES)
def test_densities(name, monkeypatch):
    density = DENSITIES[name]
    with elsewhere(monkeypatch):
        z = density.sample((20_000,), there(0))
        log_p = density.log_prob(z)
        wide = density.sample((3,), there(0), torch.float64)
    assert type(wide) is torch.Tensor
    assert wide.dtype is torch.float64
    same(log_p, density.log_prob(z.held), rtol=1e-4, atol=1e-4)
    mean = torch.as_tensor(density.mean)
    spread = torch.as_tensor(density.variance).sqrt() / math.sqrt(20_000)
    assert ((z.held.double().mean(dim=0) - mean).abs() <= 5 * spread).all()


def test_the_exact_expectation_is_computed_on_the_cpu(monkeypatch):
    log_w, p = torch.tensor([0.0, 2.0, -1.0]), torch.tensor([0.25, 0.25, 0.5])
    expected = expected_bound(log_w, p, [1, 3])
    with elsewhere(monkeypatch):
        found = expected_bound(There(log_w), There(p), [1, 3])
    assert torch.equal(found, expected)


def test_the_oracle(monkeypatch):
    weight, bias = torch.tensor([[1.0, 0.5], [0.2, -1.0]]), torch.tensor([0.3, -0.2])
    x = torch.randn(4, 2, generator=make_generator(0))
    model = LinearGaussian(weight, bias, 0.7)
    with elsewhere(monkeypatch):
        moved = LinearGaussian(There(weight), There(bias), 0.7)
        log_p, (mean, covariance) = moved.log_marginal(There(x)), moved.posterior(There(x))
    same(log_p, model.log_marginal(x))
    same(mean, model.posterior(x)[0])
    same(covariance, model.posterior(x)[1])


@contextlib.contextmanager
def runs_elsewhere(monkeypatch):
    """Seeds give generators there, and a run's device is the stand-in."""

    def generator(seed, device="cpu"):
        return there(seed) if torch.device(device) == DEVICE else make_generator(seed)

    monkeypatch.setattr(rng, "make_generator", generator)
    monkeypatch.setattr(TrainConfig, "resolved_device", lambda self: DEVICE)
    with elsewhere(monkeypatch):
        yield


SMALL = TrainConfig(hidden=(20,), latent_dim=3, n_samples=4, batch_size=20, seed=0)
RUNS = {
    "iwae": SMALL,
    "resampled": dataclasses.replace(SMALL, backward="resampled"),
    "truncated DReG": dataclasses.replace(
        SMALL, backward="truncated", estimator="doubly_reparameterized"
    ),
    "two layers": dataclasses.replace(SMALL, second_latent_dim=2, second_hidden=(5,)),
    "autoregressive": dataclasses.replace(SMALL, decoder="autoregressive"),
    "stops early": dataclasses.replace(SMALL, patience=1, batch_size=700),
    "burda's rate": dataclasses.replace(SMALL, rate_schedule="burda", kl_schedule="linear"),
}


@pytest.mark.parametrize("name", RUNS)
def test_training(name, monkeypatch):
    # The stand-in draws the CPU's normal numbers, so the whole run is that of the CPU. The uniform
    # numbers that pick samples are others: they move four steps of 0.001 by a few steps.
    expected = advance(begin(RUNS[name]), 4)
    with runs_elsewhere(monkeypatch):
        after = advance(begin(RUNS[name]), 4)
    loose = 1000 if name == "resampled" else 1
    np.testing.assert_allclose(
        after.records.objective, expected.records.objective, rtol=loose * 1e-6
    )
    np.testing.assert_allclose(
        after.state.parameters, expected.state.parameters, atol=loose * 1e-5
    )


def test_what_a_page_looks_at(monkeypatch):
    state = begin(SMALL)
    frame, seen = observe(state), look(state)
    with runs_elsewhere(monkeypatch):
        assert observe(state).bound_64 == pytest.approx(frame.bound_64, rel=1e-5)
        np.testing.assert_allclose(look(state).L_64, seen.L_64, rtol=1e-5)


def test_a_trial_is_measured_by_the_same_ruler_wherever_it_was_trained(monkeypatch):
    def bound(model, data):
        return {"L_5": use_cases.bound(model, use_cases.held_out(data)[:20], 5)}

    monkeypatch.setitem(trials.MEASURES, "quick", {"bound": bound})
    trial = trials.Trial(config=SMALL, n_steps=3, measures="quick")
    expected = trials.carry_out(trial).found
    with runs_elsewhere(monkeypatch):
        found = trials.carry_out(trial).found
    np.testing.assert_allclose(found["L_5"], expected["L_5"], rtol=1e-5)


def test_evaluation(monkeypatch):
    with runs_elsewhere(monkeypatch):
        model = Vae(6, 2, hidden=(5,), generator=make_generator(0)).to(DEVICE)
        x = There((torch.rand(9, 6, generator=make_generator(1)) < 0.5).float())
        report = collapse_report(model, x, there(2))
        assert np.isfinite(report.kl_per_dim).all()
        assert math.isfinite(aggregate_kl(model, x, there(2)))
        assert np.isfinite(decoder_sensitivity(model, x)).all()
        bound = log_likelihood(model, x, 2000, there(3))
        assert bound.dtype is torch.float64
        effort = AisConfig(n_chains=4, n_temperatures=10)
        annealed = ais(model, x, prior_start(x, 2), effort, there(4))
        np.testing.assert_allclose(annealed.log_lower, bound.numpy(), atol=0.5)
        snr = gradient_snr(
            model,
            x,
            estimators=["reparameterized"],
            n_samples=[2],
            n_repeats=3,
            generator=there(5),
        )
        assert np.isfinite(snr.snr).all()
        grid = Grid(n=64)
        exact = exact_posterior(model, x[:1], grid)
        assert exact.log_normalizer == pytest.approx(bound[0].item(), abs=0.05)
        implicit = implicit_posterior(
            model, x[:1], model.posterior(x[:1]), 20, grid, there(7), n_repeats=100
        )
        assert kl_on_grid(implicit, exact) < 0.1
        fan = gradient_fan(
            model,
            x,
            estimator="doubly_reparameterized",
            n_samples=2,
            coordinates=((next(model.parameters()), 0), (next(model.parameters()), 1)),
            n_repeats=3,
            generator=there(8),
        )
        assert np.isfinite(fan).all()
        assert not collapsed_units(model, x, there(9), epsilon=1e-9).any()
        assert np.isfinite(latent_swap(model, x[:2], [0]).after).all()
        draws = resampled_posterior(model, x[:1], model.posterior(x[:1]), 20, 500, there(6))
        assert np.abs(draws.mean(0).detach().numpy() - exact.mean).max() < 0.3
