"""What a picture of a run shows is what the model says, and looking changes nothing."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from iwae_core.rng import stream
from iwae_core.training import TrainConfig, advance, begin, model_of
from iwae_core.training.frame import deep_bound, observe, places
from iwae_core.training.glance import PROBE_SEED, glance, probe, probe_data

SMALL = TrainConfig(hidden=(12,), latent_dim=4, n_samples=5, batch_size=50, seed=2)
PLANE = dataclasses.replace(SMALL, latent_dim=2)


@pytest.fixture(scope="module")
def state():
    return advance(begin(SMALL), 60).state


def assert_same(ours, theirs):
    for name in ("parameters", "first_moment", "second_moment"):
        assert np.array_equal(getattr(ours, name), getattr(theirs, name)), name


@pytest.mark.parametrize(
    "config",
    [
        SMALL,
        dataclasses.replace(PLANE, dataset="moons"),
        dataclasses.replace(SMALL, second_latent_dim=2, second_hidden=(8,)),
        dataclasses.replace(SMALL, backward="resampled"),
    ],
)
def test_looking_after_every_step_changes_no_bit(config):
    seen = []

    def watch(model, step):
        seen.append(glance(model, config, step))

    unseen = advance(begin(config), 12)
    watched = advance(begin(config), 12, watch=watch)
    assert_same(unseen.state, watched.state)
    assert np.array_equal(unseen.records.objective, watched.records.objective)
    assert [each.step for each in seen] == list(range(1, 13))
    after = glance(model_of(watched.state), config, 12)
    for field in dataclasses.fields(after):
        assert np.array_equal(getattr(after, field.name), getattr(seen[-1], field.name))


def test_a_glance_shows_what_the_encoder_says(state):
    seen = glance(model_of(state), SMALL, state.step)
    x = probe_data(SMALL)
    loc, scale = (values.detach().double().numpy() for values in model_of(state).encode(x))
    # KL(N(m, s^2) || N(0, 1)) = (m^2 + s^2 - 1) / 2 - log s
    kl = ((loc**2 + scale**2 - 1) / 2 - np.log(scale)).mean(axis=0)
    np.testing.assert_allclose(seen.kl_per_dim, kl, atol=1e-5)
    assert set(seen.axes) == set(np.argsort(kl)[-2:])
    np.testing.assert_allclose(seen.means, loc[:, list(seen.axes)], atol=1e-5)
    np.testing.assert_allclose(seen.scales, scale[:, list(seen.axes)], atol=1e-5)
    assert np.array_equal(seen.active, loc.var(axis=0) > 0.01)
    noise = stream(PROBE_SEED, "watched")
    log_w = model_of(state).log_weights(x[:1], 64, noise)[:, 0].detach().numpy()
    np.testing.assert_array_equal(seen.log_w, log_w)


def test_the_plane_turns_only_to_a_latent_that_carries_clearly_more(state):
    model = model_of(state)
    kl = glance(model, SMALL, 0).kl_per_dim
    order = np.argsort(kl)
    best = tuple(sorted(order[-2:].tolist()))
    worst = tuple(sorted(order[:2].tolist()))
    assert glance(model, SMALL, 0, best).axes == best
    near = tuple(sorted((int(order[-1]), int(order[-3]))))
    stays = kl[order[-2]] <= 1.25 * kl[order[-3]]
    assert glance(model, SMALL, 0, near).axes == (near if stays else best)
    if kl[order[-2]] > 1.25 * kl[order[0]]:
        assert glance(model, SMALL, 0, worst).axes == best
    assert glance(model, SMALL, 0, (0, 9)).axes == best  # of another model


def test_a_glance_at_parameters_that_are_not_finite_raises_nothing(state):
    model = model_of(state)
    next(model.parameters()).data.fill_(math.nan)
    assert np.isnan(glance(model, SMALL, 1).means).all()


@pytest.mark.parametrize("K", [1, 5, 64, 100])
def test_the_bounds_of_a_frame_are_averages_over_groups_of_its_draws(state, K):
    frame = observe(dataclasses.replace(state, config=state.config.with_changes(n_samples=K)))
    n_draws = max(64, K)
    x = probe_data(SMALL)[:100]
    with torch.no_grad():
        log_w = model_of(state).log_weights(x, n_draws, stream(PROBE_SEED, "noise"))
    log_w = log_w.double().numpy()

    def bound(size):
        n_groups = n_draws // size
        groups = log_w[: size * n_groups].reshape(size, n_groups, 100)
        return np.log(np.exp(groups).mean(axis=0)).mean()

    assert frame.bound_1 == pytest.approx(log_w.mean(), abs=1e-4)
    assert frame.bound_k == pytest.approx(bound(K), abs=1e-4)
    assert frame.bound_64 == pytest.approx(bound(64), abs=1e-4)
    assert frame.bound_1 <= frame.bound_k + 1e-4


def test_a_K_beyond_the_looks_has_no_bound_of_its_own(state):
    frame = observe(dataclasses.replace(state, config=state.config.with_changes(n_samples=600)))
    assert math.isnan(frame.bound_k)
    assert math.isfinite(frame.bound_64)


def test_the_deep_bound_is_tighter_and_the_noise_smaller_than_the_gap(state):
    # The spread of L_512 over noise, estimated from 5 other streams, is far below its distance
    # from L_64; so the order is no luck.
    frame, deep = observe(state), deep_bound(state)
    assert frame.bound_1 < frame.bound_64 < deep
    x = probe_data(SMALL)[:100]
    with torch.no_grad():
        others = [
            model_of(state).log_weights(x, 512, stream(i, "other")).double() for i in range(5)
        ]
    bounds = [(each.logsumexp(0) - math.log(512)).mean().item() for each in others]
    assert abs(deep - np.mean(bounds)) < 6 * np.std(bounds, ddof=1) * math.sqrt(1 + 1 / 5)
    assert np.std(bounds, ddof=1) < (deep - frame.bound_64) / 3


def test_the_manifold_is_the_decoder_on_the_priors_quantiles():
    state = advance(begin(PLANE), 20).state
    frame = observe(state)
    assert frame.manifold.shape == (12, 12, 64)
    at = places()
    # Each place has a twelfth of the prior on either side of its middle.
    cdf = 0.5 * (1 + np.vectorize(math.erf)(at / math.sqrt(2)))
    np.testing.assert_allclose(cdf, (np.arange(12) + 0.5) / 12, atol=1e-6)
    z = torch.tensor([[at[3], at[-1]], [at[0], at[0]]])
    expected = model_of(state).decode(z).detach().numpy()
    np.testing.assert_allclose(frame.manifold[0, 3], expected[0], atol=1e-6)
    np.testing.assert_allclose(frame.manifold[-1, 0], expected[1], atol=1e-6)
    assert observe(begin(SMALL)).manifold is None


def test_the_probe_is_held_out_and_the_same_for_every_run():
    first = probe("digits", None)
    assert first is probe("digits", None)
    assert first.x.shape == (297, 64)
    assert set(np.unique(first.x)) == {0.0, 1.0}
