"""Backward through few samples: exact where nothing is dropped, unbiased where drawn, bounded."""

import pytest
import torch
from support import assert_mean

from iwae_core.bounds.backward import resampled, truncated
from iwae_core.bounds.objectives import Miwae, iwae, sample_shares
from iwae_core.bounds.surrogates import ESTIMATORS, Weighted
from iwae_core.models.two_layer import TwoLayerVae
from iwae_core.models.vae import Vae
from iwae_core.rng import make_generator

WEIGHTED = {name: each for name, each in ESTIMATORS.items() if isinstance(each, Weighted)}


def make_model(kind):
    sizes = {"hidden": (9,), "generator": make_generator(0)}
    if kind == "one layer":
        model = Vae(6, 3, **sizes)
    else:
        model = TwoLayerVae(6, (3, 2), second_hidden=(7,), **sizes)
    model = model.double()
    with torch.no_grad():  # far from the start, where weights are nearly equal
        for parameter in model.parameters():
            parameter.mul_(2.5)
    return model


def data(B, generator):
    return torch.bernoulli(torch.full((B, 6), 0.4).double(), generator=generator)


def gradient(model, scalar):
    parameters = list(model.parameters())
    found = torch.autograd.grad(scalar, parameters, retain_graph=True, materialize_grads=True)
    return torch.cat([part.flatten() for part in found])


def objective_for(name):
    return Miwae(2) if name == "piwae" else iwae


@pytest.mark.parametrize("kind", ["one layer", "two layers"])
@pytest.mark.parametrize("name", sorted(WEIGHTED))
def test_keeping_every_sample_gives_the_exact_gradient(name, kind):
    model = make_model(kind)
    x = data(5, make_generator(1))
    draws = model.draws(x, 8, make_generator(2))
    estimator, objective = WEIGHTED[name], objective_for(name)
    scalar, log_w = estimator(draws, objective, 0.8)
    few, same_log_w = truncated(estimator, draws, objective, 0.8, epsilon=0.0)
    torch.testing.assert_close(same_log_w, log_w)
    torch.testing.assert_close(
        gradient(model, few), gradient(model, scalar), rtol=1e-8, atol=1e-10
    )


def test_truncation_drops_the_lightest_samples_and_no_more_than_epsilon():
    model = make_model("one layer")
    x = data(40, make_generator(1))
    draws = model.draws(x, 50, make_generator(2))
    seen = []
    spied = Weighted(
        WEIGHTED["reparameterized"].shares,
        lambda picked, beta, give: (seen.append(give(picked.z)), (picked.z.sum(), None))[1],
    )
    _, log_w = truncated(spied, draws, iwae, 1.0, epsilon=0.1)
    shares = sample_shares(iwae, log_w)
    kept = seen[0][0].flatten()
    assert kept.sum() / shares.sum() >= 0.9
    assert len(kept) < 0.6 * shares.numel()
    for column in shares.T:
        heavy = column.sort(descending=True).values
        n_kept = int((heavy.cumsum(0) - heavy < 0.9).sum())
        assert torch.isin(heavy[:n_kept], kept).all()
        assert heavy[:n_kept].sum() >= 0.9
        assert heavy[: n_kept - 1].sum() < 0.9


def test_the_bias_of_truncation_shrinks_with_epsilon():
    model = make_model("one layer")
    x = data(30, make_generator(1))
    draws = model.draws(x, 50, make_generator(2))
    estimator = WEIGHTED["reparameterized"]
    exact = gradient(model, estimator(draws, iwae, 1.0)[0])
    errors = [
        (gradient(model, truncated(estimator, draws, iwae, 1.0, epsilon=epsilon)[0]) - exact)
        .norm()
        .item()
        / exact.norm().item()
        for epsilon in (0.3, 0.1, 0.01, 0.001)
    ]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.005
    assert errors[0] > 0.01


@pytest.mark.parametrize("n_picks", [2])
@pytest.mark.parametrize("name", sorted(WEIGHTED))
def test_resampling_is_unbiased_for_the_exact_gradient_of_the_same_draws(name, n_picks):
    # Along a fixed direction; 400 repeats find a bias of 2 * 5 / sqrt(400) = 0.5 standard
    # deviations of one resampled gradient.
    model = make_model("one layer")
    draws = model.draws(data(4, make_generator(1)), 12, make_generator(2))
    estimator, objective = WEIGHTED[name], objective_for(name)
    exact = gradient(model, estimator(draws, objective, 1.0)[0])
    direction = exact / exact.norm()
    generator = make_generator(3)
    found = torch.stack(
        [
            gradient(
                model,
                resampled(estimator, draws, objective, 1.0, n_picks=n_picks, generator=generator)[
                    0
                ],
            )
            @ direction
            for _ in range(400)
        ]
    )
    assert_mean(found, exact.norm().item())
    assert found.std() > 1e-4 * exact.norm()


def test_more_picks_mean_less_noise():
    model = make_model("one layer")
    draws = model.draws(data(4, make_generator(1)), 30, make_generator(2))
    estimator = WEIGHTED["reparameterized"]

    def noise(n_picks):
        generator = make_generator(3)
        runs = [
            gradient(
                model,
                resampled(estimator, draws, iwae, 1.0, n_picks=n_picks, generator=generator)[0],
            )
            for _ in range(60)
        ]
        return torch.stack(runs).var(dim=0).sum()

    assert noise(8) < 0.5 * noise(1)


@pytest.mark.parametrize(
    ("call", "rule"),
    [
        (lambda e, d: truncated(e, d, iwae, 1.0, epsilon=1.0), r"epsilon must lie in \[0, 1\)"),
        (lambda e, d: truncated(e, d, iwae, 1.0, epsilon=-0.1), "got -0.1"),
        (
            lambda e, d: resampled(e, d, iwae, 1.0, n_picks=0, generator=make_generator(0)),
            "n_picks must be at least 1, got 0",
        ),
    ],
)
def test_settings_without_meaning_are_refused(call, rule):
    model = make_model("one layer")
    draws = model.draws(data(2, make_generator(1)), 3, make_generator(2))
    with pytest.raises(ValueError, match=rule):
        call(WEIGHTED["reparameterized"], draws)
