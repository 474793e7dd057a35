"""The linear VAE's optimum: against gradient ascent, against scikit-learn, and at its edges."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.decomposition import PCA

from iwae_core.models.linear_gaussian import LinearGaussian
from iwae_core.models.linear_vae import (
    LinearVae,
    maximum_likelihood_scale,
    optimum,
    predict,
)
from iwae_core.rng import make_generator, standard_normal

EIGENVALUES = (4.0, 2.0, 1.1, 0.5, 0.3)


def data_with(eigenvalues=EIGENVALUES, n=400):
    """Data whose sample covariance has exactly these eigenvalues, off the axes and off zero."""
    D = len(eigenvalues)
    raw = standard_normal((n, D), make_generator(1), torch.float64) ** 3  # not Gaussian
    raw = raw - raw.mean(dim=0)
    factor = torch.linalg.cholesky(raw.T @ raw / n)
    white = torch.linalg.solve_triangular(factor, raw.T, upper=False).T
    turn, _ = torch.linalg.qr(standard_normal((D, D), make_generator(2), torch.float64))
    scales = torch.tensor(eigenvalues, dtype=torch.float64).sqrt()
    return (white * scales) @ turn.T + torch.linspace(-2, 3, D, dtype=torch.float64)


def moments(x):
    mean = x.mean(dim=0)
    return (x - mean).T @ (x - mean) / len(x), mean


def climb(x, latent_dim, noise_scale):
    """Maximize the mean ELBO numerically from a random start; nothing of the closed form enters.

    ``noise_scale`` None learns it, too.
    """
    D = x.shape[1]
    noise = make_generator(5)
    shapes = {"W": (D, latent_dim), "b": (D,), "V": (latent_dim, D), "log_v": (latent_dim,)}
    leaves = {
        name: (0.3 * standard_normal(shape, noise, torch.float64)).requires_grad_()
        for name, shape in shapes.items()
    }
    leaves["log_s"] = torch.zeros((), dtype=torch.float64, requires_grad=noise_scale is None)

    def model():
        s = leaves["log_s"].exp() if noise_scale is None else noise_scale
        return LinearVae(LinearGaussian(leaves["W"], leaves["b"], s), leaves["V"], leaves["log_v"])

    trainable = [leaf for leaf in leaves.values() if leaf.requires_grad]
    search = torch.optim.LBFGS(
        trainable,
        lr=1,
        max_iter=4000,
        max_eval=8000,
        tolerance_grad=1e-10,
        tolerance_change=1e-15,
        history_size=40,
        line_search_fn="strong_wolfe",
    )

    def loss():
        search.zero_grad()
        value = -model().elbo(x).mean()
        value.backward()
        return value

    search.step(loss)
    return model()


@pytest.mark.parametrize(("noise_scale", "n_alive"), [(0.9, 3), (1.2, 2), (0.5, 3)])
def test_gradient_ascent_arrives_at_the_closed_form(noise_scale, n_alive):
    x = data_with()
    covariance, mean = moments(x)
    found, report = climb(x, 3, noise_scale), predict(covariance, 3, noise_scale)
    assert found.elbo(x).mean().item() == pytest.approx(report.elbo, abs=1e-7)
    q = found.posterior(x)
    order = q.loc.var(dim=0, correction=0).argsort(descending=True)
    np.testing.assert_allclose(
        q.loc.var(dim=0, correction=0)[order].detach(), report.mean_variance, atol=1e-4
    )
    np.testing.assert_allclose(
        torch.exp(2 * found.log_scale)[order].detach(), report.q_variance, atol=1e-4
    )
    np.testing.assert_allclose(
        q.kl_to_standard().mean(dim=0)[order].detach(), report.kl_per_dim, atol=1e-4
    )
    # Columns agree up to sign: compare the projections they span one by one.
    exact = optimum(covariance, mean, 3, noise_scale).decoder.weight
    W = found.decoder.weight.detach()[:, order]
    for i in range(3):
        torch.testing.assert_close(
            torch.outer(W[:, i], W[:, i]), torch.outer(exact[:, i], exact[:, i]), atol=2e-3, rtol=0
        )
    assert report.n_active == n_alive


def test_a_learned_scale_arrives_at_the_discarded_eigenvalues():
    x = data_with()
    covariance, _ = moments(x)
    found = climb(x, 2, None)
    scale = maximum_likelihood_scale(covariance, 2)
    assert scale**2 == pytest.approx((1.1 + 0.5 + 0.3) / 3)
    assert found.decoder.noise_scale.item() == pytest.approx(scale, abs=1e-5)
    report = predict(covariance, 2, scale)
    assert found.elbo(x).mean().item() == pytest.approx(report.elbo, abs=1e-7)
    assert report.elbo > max(predict(covariance, 2, scale * f).elbo for f in (0.97, 1.03))


def test_the_optimum_at_the_best_scale_is_scikit_learns_ppca():
    x = data_with(n=300)
    covariance, mean = moments(x)
    # scikit-learn divides by n - 1; scaling the data makes its covariance ours.
    stretched = (x - mean) * math.sqrt(299 / 300) + mean
    pca = PCA(n_components=2).fit(stretched.numpy())
    scale = maximum_likelihood_scale(covariance, 2)
    assert pca.noise_variance_ == pytest.approx(scale**2, rel=1e-9)
    model = optimum(covariance, mean, 2, scale)
    np.testing.assert_allclose(pca.score_samples(x.numpy()), model.log_marginal(x), rtol=1e-9)
    covariance_of_model = model.decoder.weight @ model.decoder.weight.T + scale**2 * torch.eye(5)
    np.testing.assert_allclose(pca.get_covariance(), covariance_of_model, atol=1e-9)


@given(
    noise_scale=st.floats(0.3, 2.5),
    latent_dim=st.integers(1, 5),
)
def test_at_the_optimum_q_is_the_posterior_and_every_prediction_is_met(noise_scale, latent_dim):
    x = data_with()
    covariance, mean = moments(x)
    model = optimum(covariance, mean, latent_dim, noise_scale)
    report = predict(covariance, latent_dim, noise_scale)
    # Weights are constant, so every bound is log p(x), whatever K and seed.
    log_p = model.log_marginal(x)
    torch.testing.assert_close(model.elbo(x), log_p)
    log_w = model.log_weights(x, 4, make_generator(3))
    torch.testing.assert_close(log_w, log_p.expand(4, -1))
    exact_mean, exact_covariance = model.decoder.posterior(x)
    q = model.posterior(x)
    torch.testing.assert_close(q.loc, exact_mean)
    torch.testing.assert_close(torch.exp(2 * model.log_scale).diag(), exact_covariance)
    assert model.elbo(x).mean().item() == pytest.approx(report.elbo, rel=1e-9)
    np.testing.assert_allclose(q.loc.var(dim=0, correction=0), report.mean_variance, atol=1e-9)
    np.testing.assert_allclose(q.scale[0] ** 2, report.q_variance)
    np.testing.assert_allclose(q.kl_to_standard().mean(dim=0), report.kl_per_dim, atol=1e-9)
    # q(z) has the prior's covariance: all of the KL is mutual information.
    aggregate = q.loc.T @ q.loc / len(x) + exact_covariance
    alive = torch.from_numpy(report.eigenvalues) > noise_scale**2
    torch.testing.assert_close(aggregate, torch.eye(latent_dim, dtype=torch.float64))
    assert ((model.decoder.weight != 0).any(dim=0) == alive).all()


def test_a_column_dies_at_its_eigenvalue_and_a_unit_at_a_hundredth_above():
    covariance = torch.diag(torch.tensor(EIGENVALUES, dtype=torch.float64))
    for i, eigenvalue in enumerate(EIGENVALUES):
        for factor, alive, active in (
            (1 - 1e-9, True, False),
            (1.0, False, False),
            (1 + 1e-9, False, False),
            (0.99 * (1 + 1e-9), True, False),
            (0.99 * (1 - 1e-9), True, True),
        ):
            scale = math.sqrt(eigenvalue * factor)
            if factor == 1.0 and scale**2 < eigenvalue:
                scale = math.nextafter(scale, math.inf)  # the square root was rounded down
            weight = optimum(covariance, torch.zeros(5), 5, scale).decoder.weight
            assert bool((weight[:, i] != 0).any()) == alive
            assert bool(predict(covariance, 5, scale).active[i]) == active
            # All earlier columns live, all later ones are dead.
            assert predict(covariance, 5, scale).active[:i].all()
            assert not (weight[:, i + 1 :] != 0).any()


def test_the_numbers_of_one_case_by_hand():
    report = predict(torch.diag(torch.tensor([4.0, 1.0])).double(), 2, 1.0)
    assert report.kl_per_dim == pytest.approx([math.log(2), 0.0])
    assert report.mean_variance == pytest.approx([0.75, 0.0])
    assert report.q_variance == pytest.approx([0.25, 1.0])
    assert report.elbo == pytest.approx(-math.log(2 * math.pi) - math.log(2) - 1)
    assert report.n_active == 1


@pytest.mark.parametrize(
    ("call", "rule"),
    [
        (lambda: predict(torch.zeros(3, 4), 1, 1.0), r"shape \(D, D\), got \(3, 4\)"),
        (lambda: predict(torch.tensor([[1.0, 0.5], [0.0, 1.0]]), 1, 1.0), "symmetric"),
        (lambda: predict(torch.diag(torch.tensor([1.0, -1.0])), 1, 1.0), "negative eigenvalue"),
        (lambda: predict(torch.full((2, 2), math.nan), 1, 1.0), "finite"),
        (lambda: predict(torch.eye(3), 4, 1.0), r"latent_dim must lie in \[1, 3\], got 4"),
        (lambda: predict(torch.eye(3), 2, 0.0), "noise_scale must be positive"),
        (lambda: optimum(torch.eye(3), torch.zeros(2), 2, 1.0), "mean must have shape"),
        (lambda: maximum_likelihood_scale(torch.eye(3), 3), "without bound"),
        (
            lambda: maximum_likelihood_scale(torch.diag(torch.tensor([1.0, 0.0])), 1),
            "without bound",
        ),
        (
            lambda: LinearVae(
                LinearGaussian(torch.zeros(3, 2), torch.zeros(3), 1.0),
                torch.zeros(3, 2),
                torch.zeros(2),
            ),
            r"weight must have shape \(2, 3\)",
        ),
    ],
)
def test_misuse_is_refused_with_its_cause(call, rule):
    with pytest.raises(ValueError, match=rule):
        call()
