r"""Gradient estimators: scalars to maximize whose autograd gradient is the named estimator.

All of them have the same bound in mind. They differ in which paths of the graph they keep and in
what share of the gradient each sample gets. Write ``c_k`` for the objective's share of sample k
(1 / K for the ELBO, the normalized weight for the IWAE; see
:func:`iwae_core.bounds.objectives.sample_shares`), theta for the decoder, phi for the encoder:

    reparameterized        sum_k c_k d log_w_k                             theta and phi
    stick_the_landing      the same without d log q / d phi                (biased in phi if K > 1)
    doubly_reparameterized phi: sum_k (c_k - d c_k / d log_w_k) times the path through z_k
    wake_sleep             phi: sum_k c_k d log q(z_k | x) / d phi, z_k held
    piwae                  theta: the IWAE bound on all samples; phi: the objective
    closed_form_kl         the VAE's own: log p(x | z) minus the exact KL, no weights

The scalar's gradient is what counts; its value means something for ``closed_form_kl`` alone. The
bound itself is the objective of the log weights that come back beside it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from iwae_core.bounds.objectives import Objective, iwae, sample_shares
from iwae_core.sampling.draws import Draws

Surrogate = Callable[[Draws, Objective, float], tuple[Tensor, Tensor]]
# (draws, objective, beta) -> (scalar to maximize, detached log_w (K, B) in nats)

Shares = tuple[Tensor, Tensor]  # of theta's and of phi's gradient, each (K, B)
GiveShares = Callable[[Tensor], Shares]  # from detached log_w (K, B)


@dataclass(frozen=True, slots=True)
class Weighted:
    """An estimator that weights samples: the shares they get, and the scalar that gives them.

    The two are apart so that the shares may come from elsewhere: from all K samples while the
    scalar is built on a few of them (:mod:`iwae_core.bounds.backward`).

    Attributes:
        shares: From objective and log weights ``(K, B)`` to the shares of theta and of phi.
        scalar: From draws, beta and a function that gives shares to the scalar, summed over
            samples and datapoints, and the detached log weights.
    """

    shares: Callable[[Objective, Tensor], Shares]
    scalar: Callable[[Draws, float, GiveShares], tuple[Tensor, Tensor]]

    def __call__(self, draws: Draws, objective: Objective, beta: float) -> tuple[Tensor, Tensor]:
        """Scalar to maximize, averaged over the batch, and the detached log weights.

        Raises:
            ValueError: If the batch is empty, so that there is no average.
        """
        check_batch(draws)
        scalar, log_w = self.scalar(draws, beta, lambda log_w: self.shares(objective, log_w))
        return scalar / log_w.shape[1], log_w


def _equal_shares(objective: Objective, log_w: Tensor) -> Shares:
    shares = sample_shares(objective, log_w)
    return shares, shares


def _reparameterized(draws: Draws, beta: float, give: GiveShares) -> tuple[Tensor, Tensor]:
    log_w = draws.log_w(beta)
    shares, _ = give(log_w.detach())
    return (shares * log_w).sum(), log_w.detach()


def _stick_the_landing(draws: Draws, beta: float, give: GiveShares) -> tuple[Tensor, Tensor]:
    log_w = _log_w_path(draws, draws.z, beta)
    shares, _ = give(log_w.detach())
    return (shares * log_w).sum(), log_w.detach()


def _doubly_shares(objective: Objective, log_w: Tensor) -> Shares:
    shares = sample_shares(objective, log_w)
    return shares, shares - _own_derivative(objective, log_w)


def _doubly_reparameterized(draws: Draws, beta: float, give: GiveShares) -> tuple[Tensor, Tensor]:
    _check_autograd()
    held = draws.z.detach().requires_grad_()
    log_w = _log_w_path(draws, held, beta)
    # One pass gives every sample's path derivative; phi then meets it through z alone, and theta
    # meets log_w at the held z, from where nothing leads back to phi.
    (path,) = torch.autograd.grad(log_w.sum(), held, retain_graph=True)
    for_theta, for_phi = give(log_w.detach())
    through_z = (path * draws.z).sum(dim=-1)
    return (for_phi * through_z + for_theta * log_w).sum(), log_w.detach()


def _wake_sleep(draws: Draws, beta: float, give: GiveShares) -> tuple[Tensor, Tensor]:
    z = draws.z.detach()
    log_q = draws.log_q(z)
    log_w = draws.log_likelihood(z) + beta * (draws.log_prior(z) - log_q.detach())
    for_theta, for_phi = give(log_w.detach())
    return (for_theta * log_w + for_phi * log_q).sum(), log_w.detach()


def _piwae_shares(objective: Objective, log_w: Tensor) -> Shares:
    return sample_shares(iwae, log_w), sample_shares(objective, log_w)


def _piwae(draws: Draws, beta: float, give: GiveShares) -> tuple[Tensor, Tensor]:
    _check_autograd()
    held = draws.z.detach().requires_grad_()
    log_joint = draws.log_likelihood(held) + beta * draws.log_prior(held)
    (slope,) = torch.autograd.grad(log_joint.sum(), held, retain_graph=True)
    log_q = draws.log_q(draws.z)
    log_w = log_joint.detach() - beta * log_q.detach()
    for_theta, for_phi = give(log_w)
    # phi meets the model's part of log_w through z alone, by its slope; theta meets it at the
    # held z, from where nothing leads back to phi.
    through_z = (slope * draws.z).sum(dim=-1) - beta * log_q
    return (for_phi * through_z + for_theta * log_joint).sum(), log_w


def closed_form_kl(draws: Draws, objective: Objective, beta: float) -> tuple[Tensor, Tensor]:
    """The standard VAE: mean log p(x | z) over the samples, minus the exact KL to the prior.

    No importance weight enters. The objective is the ELBO, whatever ``objective`` says.

    Raises:
        ValueError: If the model has no closed-form KL, or the batch is empty.
    """
    check_batch(draws)
    if draws.kl_per_dim is None:
        raise ValueError("closed_form_kl needs a model whose KL(q || prior) has a closed form")
    log_likelihood = draws.log_likelihood(draws.z)
    with torch.no_grad():
        log_w = log_likelihood + beta * (draws.log_prior(draws.z) - draws.log_q(draws.z))
    bound = log_likelihood.mean(dim=0) - beta * draws.kl_per_dim().sum(dim=-1)
    return bound.mean(), log_w


def check_batch(draws: Draws) -> None:
    """Refuse a batch of no datapoints: its mean is no number.

    Raises:
        ValueError: If there is no datapoint.
    """
    if draws.z.shape[1] == 0:
        raise ValueError("the batch is empty: a gradient is a mean over at least one datapoint")


def _check_autograd() -> None:
    if not torch.is_grad_enabled():
        raise ValueError(
            "this estimator needs the path through every z: call it where gradients are recorded, "
            "not under torch.no_grad or torch.inference_mode"
        )


def _log_w_path(draws: Draws, z: Tensor, beta: float) -> Tensor:
    return draws.log_likelihood(z) + beta * (draws.log_prior(z) - draws.log_q_path(z))


def _own_derivative(objective: Objective, log_w: Tensor) -> Tensor:
    r"""Diagonal :math:`\partial c_k / \partial \log w_k` of the objective's Hessian, ``(K, B)``.

    One Hessian-vector product per sample, on a tensor without the network's graph.
    """
    with torch.enable_grad():
        leaf = log_w.detach().requires_grad_()
        (shares,) = torch.autograd.grad(objective(leaf).sum(), leaf, create_graph=True)
        if not shares.requires_grad:  # a linear objective such as the ELBO
            return torch.zeros_like(leaf)
        K = leaf.shape[0]
        unit = torch.eye(K, dtype=leaf.dtype, device=leaf.device)
        probes = unit.reshape(K, K, *[1] * (leaf.ndim - 1)).expand(K, *leaf.shape)
        (rows,) = torch.autograd.grad(shares, leaf, probes, is_grads_batched=True)
    return rows.diagonal(dim1=0, dim2=1).movedim(-1, 0)


reparameterized = Weighted(_equal_shares, _reparameterized)
"""The plain gradient of the objective (Kingma and Welling, 2014; Burda et al., 2016)."""

stick_the_landing = Weighted(_equal_shares, _stick_the_landing)
"""Drop the score of q: its gradient vanishes sample by sample where q is the posterior.

Unbiased for the ELBO, biased for the IWAE bound with K > 1 (Roeder, Wu and Duvenaud, 2017,
arXiv:1703.09194).
"""

doubly_reparameterized = Weighted(_doubly_shares, _doubly_reparameterized)
"""Reparameterize the score of q a second time: unbiased, and its signal grows with K.

For the IWAE bound the encoder gets ``w_k^2`` times the path derivative. In general the factor is
``c_k - d c_k / d log_w_k``, from ``E[c_k d log q / d phi] = E[(d c_k / d log_w_k) path]`` (Tucker,
Lawson, Gu and Maddison, 2019, arXiv:1810.04152).
"""

wake_sleep = Weighted(_equal_shares, _wake_sleep)
"""Reweighted wake-sleep: the encoder maximizes the weighted log q of the samples, held fixed.

Not the gradient of any bound in phi: it minimizes KL(p(z | x) || q) by importance sampling, with
the bias of self-normalization (Bornschein and Bengio, 2015, arXiv:1406.2751, wake-phase update).
"""

piwae = Weighted(_piwae_shares, _piwae)
"""Partially importance-weighted: the decoder climbs the IWAE bound, the encoder the objective.

With ``objective = Miwae(M)`` this is PIWAE: the decoder sees the tightest bound, the encoder one
whose gradient has a better signal (Rainforth et al., 2018, arXiv:1802.04537).
"""

ESTIMATORS: dict[str, Surrogate] = {
    "reparameterized": reparameterized,
    "closed_form_kl": closed_form_kl,
    "stick_the_landing": stick_the_landing,
    "doubly_reparameterized": doubly_reparameterized,
    "wake_sleep": wake_sleep,
    "piwae": piwae,
}
