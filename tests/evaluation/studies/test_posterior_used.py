"""The density of a resampled draw: brute force, the Monte-Carlo form, the oracle."""

import dataclasses
import math
import time

import numpy as np
import pytest
import torch

from iwae_core.evaluation.posterior import Grid, exact_posterior, implicit_posterior
from iwae_core.evaluation.studies.posterior_ground import nodes
from iwae_core.evaluation.studies.posterior_trained import (
    TrainedReport,
    best_round_q,
    trained,
)
from iwae_core.evaluation.studies.posterior_used import (
    CURVE,
    SCENES,
    TARGETS,
    PosteriorUsedConfig,
    run,
    run_model,
)
from iwae_core.evaluation.studies.saved import from_json, to_json
from iwae_core.evaluation.studies.tightness import oracle
from iwae_core.models.linear_vae import LinearVae
from iwae_core.models.networks import DiagonalNormal
from iwae_core.models.vae import Vae
from iwae_core.rng import make_generator
from iwae_core.sampling.divergences import kl_divergence


def cell(report):
    return (report.first[1] - report.first[0]) * (report.second[1] - report.second[0])


def config(name, **changes):
    return PosteriorUsedConfig(**{**dict(SCENES[name].settings), **changes})


@pytest.mark.parametrize("scene", SCENES)
def test_the_inequalities_between_bounds_hold_and_densities_integrate_to_one(scene):
    for K in (1, 3, 40, 1000):
        report = run(config(scene, n_samples=K))
        assert report.elbo - 1e-9 <= report.bound <= report.elbo_used + 1e-9
        assert report.elbo_used <= report.log_marginal
        assert np.exp(report.log_p).sum() * cell(report) == pytest.approx(report.mass_on_grid)
        assert report.mass_on_grid == pytest.approx(1.0, abs=0.01)
        # all of q, and all of q_K, that lies on the grid
        assert np.exp(report.log_q_used).sum() * cell(report) == pytest.approx(1.0, abs=0.01)
        assert 1 - 1e-9 <= report.effective <= K + 1e-9
        if K == 1:
            np.testing.assert_allclose(report.log_q_used, report.log_q, atol=1e-9)
            assert report.kl_used == pytest.approx(report.kl_q, rel=1e-9)


@pytest.mark.parametrize("scene", SCENES)
def test_more_samples_bring_the_used_posterior_nearer(scene):
    kl = [run(config(scene, n_samples=K)).kl_used for K in (1, 2, 5, 20, 100, 1000)]
    assert (np.diff(kl) < 0).all()
    if scene == "one_mode":
        assert kl[-1] > 0.4  # weights cannot bring back what is not drawn
    else:
        assert kl[-1] < 0.03


def test_the_curve_is_made_of_the_reports_own_numbers_however_wide_q_is():
    # Over a posterior this narrow the weights of a wide q differ by some 600 nats.
    wide = PosteriorUsedConfig(target="linear_gaussian", loc_1=0.5, scale=1.5, n_samples=1)
    curve = dict(zip(CURVE, run(wide).kl_curve, strict=True))
    for K in (1, 2, 8, 100, 1000):
        assert curve[K] == run(dataclasses.replace(wide, n_samples=K)).kl_used
    # The browser works out a curve of weights that lie closer (tests/ui/test_used_js.py).
    assert run(config("banana")).kl_curve.size == 0
    # Two samples by brute force over the pairs: log q_2 / p with each weight's share of a pair.
    on = run(wide)
    log_w, p = on.log_w, nodes()[1]
    share = 2 * np.exp(-np.logaddexp(0.0, log_w - log_w[:, None])) @ p
    distance = p @ (share * (np.log(share) - log_w + on.log_marginal))
    assert curve[2] == pytest.approx(distance, abs=1e-9)


def test_draws_are_made_where_they_are_asked_for():
    settings = config("tilted", n_samples=10)
    report, drawn = run(settings, resample=False), run(settings)
    assert report.resampled.shape == (0, 2)
    assert report.kl_used == drawn.kl_used


def test_two_samples_by_brute_force_over_the_other_one():
    # q_2(z) = E_{z_2 ~ q}[2 p(x, z) / (w(z) + w(z_2))], by a midpoint rule over z_2.
    report = run(config("banana", n_samples=2))
    target = TARGETS["banana"]
    fine = Grid(low=(-8.0, -8.0), high=(8.0, 8.0), n=128)
    z_2 = fine.points()
    log_q = (-0.5 * (z_2 / 1.2).square().sum(-1) - math.log(2 * math.pi * 1.44)).numpy()
    p_2 = np.exp(log_q) * fine.cell_area
    w_2 = np.exp(target.joint.log_prob(z_2).numpy() - log_q)
    log_joint = report.log_p + report.log_marginal
    for i, j in ((20, 24), (32, 26), (40, 33), (10, 50)):
        w = np.exp(log_joint[i, j] - report.log_q[i, j])
        brute = (p_2 * 2 * np.exp(log_joint[i, j]) / (w + w_2)).sum()
        assert np.exp(report.log_q_used[i, j]) == pytest.approx(brute, rel=1e-4)


@pytest.mark.parametrize("n_samples", [5, 200])
def test_the_density_is_the_monte_carlo_one_of_evaluation(n_samples):
    settings = config("covers", n_samples=n_samples)
    report, target = run(settings), TARGETS["two_modes"]

    class Joint:
        def log_joint(self, x, z):
            return target.joint.log_prob(z)

    q = DiagonalNormal(
        torch.tensor([[0.4, 0.0]], dtype=torch.float64),
        torch.full((1, 2), math.log(1.8), dtype=torch.float64),
    )
    x = torch.zeros(1, 1, dtype=torch.float64)
    other = implicit_posterior(
        Joint(), x, q, n_samples, target.grid, make_generator(3), n_repeats=5000
    )
    # within 5 % wherever there is density: the mean of 5000 sets of others
    held = report.log_p > report.log_p.max() - 5
    np.testing.assert_allclose(report.log_q_used[held], other.log_density[held], atol=0.05)
    p = exact_posterior(Joint(), x, target.grid)
    np.testing.assert_allclose(
        report.log_p + report.log_marginal, p.log_density + p.log_normalizer, atol=1e-9
    )
    assert np.log(report.mass_on_grid) + report.log_marginal == pytest.approx(p.log_normalizer)


def test_divergences_are_those_of_the_tables():
    report = run(config("covers", n_samples=20))
    for log_density, exact in ((report.log_q, report.kl_q), (report.log_q_used, report.kl_used)):
        density = np.exp(log_density)
        table = (density * (log_density - report.log_p)).sum() * cell(report)
        assert table == pytest.approx(exact, abs=0.01)


def test_on_the_linear_gaussian_the_elbo_is_a_closed_form():
    from iwae_core.evaluation.studies.tightness import posterior
    from iwae_core.sampling.densities import Gaussian

    report = run(config("tilted", n_samples=7))
    q = Gaussian((0.6, 0.3), ((0.36, 0.0), (0.0, 0.36)))
    assert report.kl_q == pytest.approx(kl_divergence(q, posterior()), abs=1e-6)
    assert report.log_marginal - report.elbo == pytest.approx(report.kl_q)


def test_resampled_draws_have_the_mean_of_the_used_density():
    report = run(config("tilted", n_samples=10))
    density = np.exp(report.log_q_used)
    mean = np.array(
        [
            report.first @ density.sum(1) / density.sum(),
            report.second @ density.sum(0) / density.sum(),
        ]
    )
    error = report.resampled.std(axis=0) / math.sqrt(len(report.resampled))
    assert len(report.resampled) == 300
    assert (np.abs(report.resampled.mean(axis=0) - mean) < 5 * error).all()
    again = run(config("tilted", n_samples=10))
    np.testing.assert_array_equal(report.resampled, again.resampled)
    assert not np.isin(run(config("tilted", seed=2)).resampled, report.resampled).any()


def test_the_best_q_by_each_bound_cannot_be_bettered():
    for K in (1, 5):
        loc_1, loc_2, scale = best_round_q("banana", K)

        def bound(loc_1, loc_2, scale, K=K):
            return run(
                PosteriorUsedConfig(loc_1=loc_1, loc_2=loc_2, scale=scale, n_samples=K)
            ).bound

        top = bound(loc_1, loc_2, scale)
        for step in (-0.08, 0.08):
            assert bound(loc_1 + step, loc_2, scale) < top
            assert bound(loc_1, loc_2 + step, scale) < top
            assert bound(loc_1, loc_2, scale * (1 + step)) < top


def test_the_linear_gaussians_best_q_is_known():
    # KL(q || p) for a round q: mean at the posterior's, precision the mean of its eigenvalues.
    from iwae_core.evaluation.studies.tightness import posterior

    loc_1, loc_2, scale = best_round_q("linear_gaussian", 1)
    exact = posterior()
    assert [loc_1, loc_2] == pytest.approx(exact.mean.tolist(), abs=1e-3)
    precision = torch.linalg.inv(exact.covariance).diagonal().mean().item()
    assert scale == pytest.approx(precision**-0.5, abs=1e-3)


def test_the_q_trained_by_the_iwae_looks_worse_and_serves_better():
    for target in TARGETS:
        report = trained(target, 10, 1)
        by_elbo, by_iwae = report.by_elbo, report.by_iwae
        assert by_iwae.kl_q > by_elbo.kl_q
        assert by_iwae.elbo < by_elbo.elbo
        assert by_iwae.bound > by_elbo.bound
        assert by_iwae.kl_used < by_elbo.kl_used
        assert by_iwae.scale[0] > by_elbo.scale[0]
    text = to_json(report)
    assert to_json(from_json(TrainedReport, text)) == text


def test_a_model_with_an_encoder_gives_the_same_report():
    # The oracle with a linear encoder: log p(x) and KL in closed form.
    model, x = oracle()
    encoder = LinearVae(
        model,
        torch.tensor([[0.3, 0.1, 0.2], [0.2, 0.3, 0.1]], dtype=torch.float64),
        torch.tensor([-0.9, -0.7], dtype=torch.float64),
    )

    class Encoded:
        log_joint = staticmethod(model.log_joint)
        posterior = staticmethod(encoder.posterior)

    report = run_model(Encoded(), x, 8, make_generator(0))
    assert report.log_marginal == pytest.approx(model.log_marginal(x).item(), abs=1e-6)
    assert report.elbo == pytest.approx(encoder.elbo(x).item(), abs=1e-6)
    assert report.elbo < report.bound < report.elbo_used < report.log_marginal
    assert report.mass_on_grid == pytest.approx(1.0)


def test_a_float32_vae_on_digits_is_read_off_as_well():
    vae = Vae(64, 2, hidden=(20,), generator=make_generator(0))
    x = (torch.rand(1, 64, generator=make_generator(1)) < 0.4).float()
    report = run_model(vae, x, 50, make_generator(2))
    assert report.log_p.shape == (64, 64)
    assert report.elbo < report.bound < report.elbo_used + 1e-6
    assert report.kl_used < report.kl_q
    # the grid holds the posterior: nothing at its border
    border = np.exp(report.log_p).sum() - np.exp(report.log_p[1:-1, 1:-1]).sum()
    assert border * cell(report) < 1e-3
    with pytest.raises(ValueError, match="two latent coordinates"):
        run_model(Vae(64, 3, hidden=(20,), generator=make_generator(0)), x, 5, make_generator(0))


def test_a_drag_is_answered_at_once():
    # Measured 0.01 to 0.02 s on a quiet core; a busy machine gets some room.
    best = min(_seconds(config("covers", n_samples=K)) for K in (50, 60, 70))
    assert best < 0.1


def _seconds(settings):
    began = time.process_time()
    run(settings)
    return time.process_time() - began


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="unknown target 'bananna'"):
        PosteriorUsedConfig(target="bananna")
    with pytest.raises(ValueError, match=r"loc must lie within 6.*scale must lie in.*n_samples"):
        PosteriorUsedConfig(loc_1=7.0, scale=0.0, n_samples=1001)
    with pytest.raises(ValueError, match="unknown target"):
        trained("bananna", 5, 1)
