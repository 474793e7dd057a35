"""Two stochastic layers: densities, path derivatives and means, against independent arithmetic."""

import itertools
import math

import pytest
import torch
from support import assert_mean, assert_mean_differs

from iwae_core.bounds.objectives import elbo, iwae
from iwae_core.bounds.surrogates import ESTIMATORS
from iwae_core.models.two_layer import TwoLayerVae
from iwae_core.rng import make_generator, standard_normal

D1, D2 = 3, 2


def make_model(**changes):
    settings = {"hidden": (6, 5), "second_hidden": (4,), "generator": make_generator(0)} | changes
    model = TwoLayerVae(4, (D1, D2), **settings).double()
    # Glorot's zero biases would leave every mean of a symmetric case at zero: move them.
    noise = make_generator(9)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.3 * standard_normal(parameter.shape, noise, torch.float64)
    return model


def binary(n, seed=1):
    return torch.bernoulli(
        torch.full((n, 4), 0.3, dtype=torch.float64), generator=make_generator(seed)
    )


def log_normal(value, normal):
    return torch.distributions.Normal(normal.loc, normal.scale).log_prob(value).sum(-1)


def test_log_weights_are_the_five_densities_of_the_equation():
    model, x = make_model(), binary(7)
    draws = model.draws(x, 5, make_generator(2))
    z1, z2 = draws.z[..., :D1], draws.z[..., D1:]
    log_p_x = torch.distributions.Bernoulli(model.decode(z1)).log_prob(x).sum(-1)
    log_p = (
        torch.distributions.Normal(0.0, 1.0).log_prob(z2).sum(-1)
        + log_normal(z1, model.second_decoder(z2))
        + log_p_x
    )
    log_q = log_normal(z1, model.encoder(x)) + log_normal(z2, model.second_encoder(z1))
    torch.testing.assert_close(model.log_weights(x, 5, make_generator(2)), log_p - log_q)
    torch.testing.assert_close(model.log_joint(x, draws.z), log_p)
    # The draws' own z uses what was computed when drawing; any other z is computed anew.
    torch.testing.assert_close(draws.log_q(draws.z), log_q)
    torch.testing.assert_close(draws.log_q(draws.z.clone()), log_q)
    torch.testing.assert_close(draws.log_q_path(draws.z), log_q)
    assert draws.kl_per_dim is None


def test_log_q_path_reaches_z1_inside_the_second_encoder_and_no_parameter():
    model, x = make_model(), binary(3)
    draws = model.draws(x, 2, make_generator(2))
    held = draws.z.detach().requires_grad_()
    path, full = draws.log_q_path(held).sum(), draws.log_q(held).sum()
    slope, slope_of_full = (torch.autograd.grad(term, held)[0] for term in (path, full))
    torch.testing.assert_close(slope, slope_of_full)
    # q(z2 | z1) moves with z1: that slope differs from the one of log q(z1 | x) alone.
    q1 = model.encoder(x)
    alone = -(held[..., :D1] - q1.loc) / q1.scale**2
    assert (slope[..., :D1] - alone).abs().max() > 0.01
    again = draws.log_q_path(held).sum()
    grads = torch.autograd.grad(again, list(model.parameters()), allow_unused=True)
    assert all(gradient is None for gradient in grads)


def gradient_of(estimator, objective, model, x, n_samples, seed, parameters):
    draws = model.draws(x, n_samples, make_generator(seed))
    surrogate, _ = ESTIMATORS[estimator](draws, objective, 1.0)
    parts = torch.autograd.grad(surrogate, parameters, allow_unused=True)
    return torch.cat(
        [
            torch.zeros_like(parameter).flatten() if part is None else part.flatten()
            for part, parameter in zip(parts, parameters, strict=True)
        ]
    )


@pytest.mark.parametrize(
    ("estimator", "objective"),
    [("doubly_reparameterized", iwae), ("stick_the_landing", elbo)],
    ids=["doubly reparameterized IWAE", "stick the landing ELBO"],
)
def test_path_estimators_are_unbiased_through_both_layers(estimator, objective):
    # 60 independent gradients of 300 repeated datapoints each, projected on fixed random
    # directions of each encoder: z-scores of the difference from the plain estimator.
    model, x = make_model(), binary(1).expand(300, 4)
    for network in (model.encoder, model.second_encoder):
        parameters = list(network.parameters())
        size = sum(parameter.numel() for parameter in parameters)
        direction = standard_normal((size,), make_generator(5), torch.float64)
        plain, other = (
            torch.stack(
                [
                    gradient_of(name, objective, model, x, 4, seed, parameters) @ direction
                    for seed in range(start, start + 60)
                ]
            )
            for name, start in (("reparameterized", 0), (estimator, 1000))
        )
        assert_mean(plain - other, 0.0)
        # The statement has power: the gradient itself is far from zero.
        assert_mean_differs(plain, 0.0, at_least=10 * (plain - other).std().item() / 60**0.5)


def with_exact_posterior(rho=0.6):
    """z1 and z2 correlated standard normals that x does not depend on, with q the posterior.

    relu(z + 50) - 50 = z wherever a draw can fall, so both second networks are linear.
    """
    model = TwoLayerVae(
        4, (1, 1), hidden=(3,), second_hidden=(1,), activation="relu", generator=make_generator(0)
    ).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        for network in (model.second_encoder, model.second_decoder):
            network[0].layers[0].weight.fill_(1.0)
            network[0].layers[0].bias.fill_(50.0)
            network[1].layer.weight.copy_(torch.tensor([[rho], [0.0]], dtype=torch.float64))
            network[1].layer.bias.copy_(
                torch.tensor([-50 * rho, 0.5 * math.log(1 - rho**2)], dtype=torch.float64)
            )
    return model


@pytest.mark.parametrize("estimator", ["stick_the_landing", "doubly_reparameterized"])
def test_path_gradients_vanish_sample_by_sample_at_the_exact_posterior(estimator):
    model, x = with_exact_posterior(), binary(3)
    log_w = model.log_weights(x, 6, make_generator(1))
    torch.testing.assert_close(log_w, torch.full_like(log_w, 4 * math.log(0.5)))
    parameters = [*model.encoder.parameters(), *model.second_encoder.parameters()]
    path = gradient_of(estimator, iwae, model, x, 6, 1, parameters)
    assert path.abs().max() < 1e-9
    plain = gradient_of("reparameterized", iwae, model, x, 6, 1, parameters)
    assert plain.abs().max() > 0.1


def test_the_mean_weight_is_the_marginal_likelihood_summed_over_all_data():
    # E_q[w] = p(x), and the p(x) of all 16 images add to one. Wide encoders over narrow priors
    # keep the variance of the weights finite.
    model = make_model()
    heads = ((model.encoder, 0.4), (model.second_encoder, 0.4), (model.second_decoder, -0.1))
    with torch.no_grad():
        for network, log_scale in heads:
            layer = network[1].layer
            half = layer.out_features // 2
            layer.weight[half:] = 0
            layer.bias[half:] = log_scale
    x = torch.tensor(list(itertools.product([0.0, 1.0], repeat=4)), dtype=torch.float64)
    w = model.log_weights(x, 20_000, make_generator(3)).exp()
    assert_mean(w.sum(dim=1), 1.0)


def test_layer_means_average_the_second_encoder_over_the_first_layer():
    model, x = make_model(), binary(5)
    first, second = model.layer_means(x, 2000, make_generator(4))
    torch.testing.assert_close(first, model.encoder(x).loc)
    q1 = model.encoder(x)
    z1 = q1.from_noise(standard_normal((4000, 5, D1), make_generator(8), torch.float64))
    loc = model.second_encoder(z1).loc
    spread = loc.std(dim=0) * math.sqrt(1 / 4000 + 1 / 2000)
    assert ((second - loc.mean(dim=0)).abs() < 5 * spread).all()
    # Not the second encoder at the first layer's mean, which is another number.
    assert (model.second_encoder(q1.loc).loc - second).abs().max() > 5 * spread.max()


def test_the_units_costs_add_up_to_the_kl():
    model, x = make_model(), binary(6)
    per_unit = model.kl_per_unit(x, 20_000, make_generator(4))
    assert per_unit.shape == (6, D1 + D2)
    draws = model.draws(x, 20_000, make_generator(5))
    log_ratio = draws.log_q(draws.z) - draws.log_prior(draws.z)
    spread = log_ratio.std(dim=0) * math.sqrt(2 / 20_000)
    assert ((per_unit.sum(dim=1) - log_ratio.mean(dim=0)).abs() < 5 * spread).all()


def test_samples_come_from_the_prior_through_both_layers():
    model = make_model()
    z1, z2 = model.split(model.sample_prior(20_000, make_generator(6)))
    given_z2 = model.second_decoder(z2)
    standardized = (z1 - given_z2.loc) / given_z2.scale
    for noise in (z2, standardized):
        for unit in noise.T:
            assert_mean(unit, 0.0)
            assert_mean(unit**2, 1.0)
    x, z = model.sample(6, make_generator(4))
    assert z.shape == (6, D1 + D2)
    assert set(x.unique().tolist()) <= {0.0, 1.0}


@pytest.mark.parametrize(
    ("call", "rule"),
    [
        (lambda: make_model(second_hidden=()), "second_hidden must be at least 1"),
        (lambda: TwoLayerVae(4, (3, 0), generator=None), "second layer"),
        (lambda: TwoLayerVae(4, (0, 3), generator=None), "latent_dim"),
        (lambda: make_model().split(torch.zeros(2, 4)), r"both layers, 3 \+ 2 coordinates, got"),
        (lambda: make_model().decode(torch.zeros(2, 4).double()), "both layers"),
        (
            lambda: make_model().log_weights(binary(2), 0, make_generator(0)),
            "n_samples must be at least 1, got 0",
        ),
    ],
)
def test_misuse_is_refused_with_its_cause(call, rule):
    with pytest.raises(ValueError, match=rule):
        call()
