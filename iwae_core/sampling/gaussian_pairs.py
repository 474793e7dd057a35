r"""The exact answers of ``iwae_core.sampling.divergences`` for two Gaussians in d dimensions."""

import math

import torch

from iwae_core.sampling.densities import Gaussian, Multivariate


def gaussian_log_chi_square_moment(p: Gaussian, q: Gaussian) -> float:
    r"""Logarithm of :math:`E_q[w^2]` in nats; inf where :math:`2 P - Q` is not positive definite.

    With precisions P, Q, :math:`A = 2 P - Q` and :math:`\delta = \mu_q - \mu_p`, completing the
    square of :math:`p^2 / q` gives
    :math:`\tfrac12 \log \frac{|P|^2}{|Q||A|} + \tfrac12 \delta^T (Q + Q A^{-1} Q) \delta`.
    """
    check_dims(p, q)
    P, Q = torch.linalg.inv(p.covariance), torch.linalg.inv(q.covariance)
    A = 2 * P - Q
    _, info = torch.linalg.cholesky_ex(A)
    if info.item() != 0:
        return math.inf
    apart = q.mean - p.mean
    pull = Q @ apart
    exponent = apart @ pull + pull @ torch.linalg.solve(A, pull)
    log_dets = 2 * torch.logdet(P) - torch.logdet(Q) - torch.logdet(A)
    return 0.5 * (log_dets + exponent).item()


def gaussian_kl_divergence(p: Gaussian, q: Gaussian) -> float:
    r""":math:`KL(p \| q)` in nats."""
    check_dims(p, q)
    apart = q.mean - p.mean
    ratio = torch.linalg.solve(q.covariance, p.covariance)
    distance = apart @ torch.linalg.solve(q.covariance, apart)
    return 0.5 * (ratio.trace() - p.dim - torch.logdet(ratio) + distance).item()


def gaussian_tail_index(p: Gaussian, q: Gaussian) -> float:
    r"""Tail shape of the weights: :math:`1 - \lambda` in the direction where q is narrowest.

    :math:`\lambda` is the smallest eigenvalue of :math:`\Sigma_p^{-1} \Sigma_q`, the smallest
    ratio of variances; 0 if it is at least one.
    """
    check_dims(p, q)
    factor = torch.linalg.cholesky(p.covariance)
    half = torch.linalg.solve_triangular(factor, q.covariance, upper=False)
    ratio = torch.linalg.solve_triangular(factor, half.T, upper=False)
    return max(0.0, 1 - torch.linalg.eigvalsh(ratio).min().item())


def check_dims(p: Multivariate, q: Multivariate) -> None:
    """Refuse two densities of different dimension."""
    if p.dim != q.dim:
        raise ValueError(f"target and proposal differ in dimension: {p.dim} and {q.dim}")
