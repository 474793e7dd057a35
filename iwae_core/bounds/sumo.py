r"""SUMO: an unbiased estimate of log p(x) from a random number of samples.

log p(x) is the limit of the bound as K grows, so it is the sum of all the steps between:

    log p(x) = E[L_m] + sum_{t >= 1} E[Delta_t],      Delta_t = L_{m+t} - L_{m+t-1}.

Russian roulette stops that sum at a random T and divides each step by the probability that it is
reached, ``P(T >= t)``. What is lost by stopping is then made up on average, and the bias is gone.

The price is the variance. The steps fall like 1 / t in size, so the sum of
``E[Delta_t^2] / P(T >= t)`` converges only if P(T >= t) falls more slowly than 1 / t, and then
the expected number of samples is infinite. The distribution here, as the paper's, keeps the cost
finite: **the variance is infinite**, through very rare very large values. A mean over few
estimates looks calm and lies; never judge it by its own standard error. (In the geometric tail
even the mean of the absolute value diverges, like a sum of 1 / t: "unbiased" is meant as the
limit of cutting the tail off later and later, and the test of it holds that identity exactly.)
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from iwae_core.counts import check_shape, is_count
from iwae_core.precision import in_float64
from iwae_core.rng import uniform
from iwae_core.sampling.weights import check_log_w


@dataclass(frozen=True, slots=True)
class Sumo:
    r"""Stochastically unbiased marginalization objective, with variance that may be infinite.

    ``P(T >= t) = 1 / t`` up to ``tail_start``, and from there falls by ``tail_ratio`` each step.
    A datapoint needs ``n_base + T`` log weights: ask :meth:`draw_n_samples` first, draw as many,
    then call.

    Attributes:
        n_base: m, samples of the bound that the sum starts from; more give less variance.
        tail_start: Number of steps after which the tail is geometric.
        tail_ratio: Factor of the tail, in (0, 1).

    Reference:
        Luo, Beatson, Norouzi, Zhu, Duvenaud, Adams and Chen (2020), SUMO, arXiv:2004.00353.
    """

    n_base: int = 1
    tail_start: int = 80
    tail_ratio: float = 0.9

    def __post_init__(self) -> None:
        faults = []
        if not (is_count(self.n_base) and is_count(self.tail_start)):
            faults.append(
                "n_base and tail_start must be at least 1, "
                f"got {self.n_base} and {self.tail_start}: whole numbers?"
            )
        if not 0 < self.tail_ratio < 1:
            faults.append(f"tail_ratio must lie in (0, 1), got {self.tail_ratio}")
        if faults:
            raise ValueError("; ".join(faults))

    def survival(self, t: Tensor) -> Tensor:
        """``P(T >= t)`` for steps ``t >= 1``, float64, of ``t``'s shape."""
        t = in_float64(t)
        head = 1 / t.clamp(max=self.tail_start)
        return head * self.tail_ratio ** (t - self.tail_start).clamp(min=0)

    def draw_n_samples(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        """Number of log weights ``n_base + T`` that each datapoint needs, int64 of ``shape``."""
        check_shape(shape)
        # 1 - u lies in (0, 1], so the inverse of the survival function is finite.
        u = 1 - uniform(shape, generator)
        head = torch.floor(1 / u).clamp(max=self.tail_start)
        beyond = torch.log((u * self.tail_start).clamp(max=1)) / math.log(self.tail_ratio)
        return (self.n_base + head + torch.floor(beyond)).long().to(generator.device)

    def __call__(self, log_w: Tensor, n_samples: Tensor) -> Tensor:
        """Estimate log p(x) for each datapoint, in nats.

        Args:
            log_w: Log weights ``(K, *B)``; datapoint b uses its first ``n_samples[b]`` rows.
            n_samples: From :meth:`draw_n_samples`, shape ``(*B,)``.

        Returns:
            Tensor of shape ``(*B,)``.

        Raises:
            ValueError: If the shapes or types do not fit, if ``n_samples`` does not lie in
                (n_base, K], or if the first ``n_base`` weights of a column are all zero.
        """
        check_log_w(log_w)
        K, m = log_w.shape[0], self.n_base
        if n_samples.shape != log_w.shape[1:]:
            raise ValueError(
                f"n_samples must have log_w's batch shape {tuple(log_w.shape[1:])}, "
                f"got {tuple(n_samples.shape)}"
            )
        if n_samples.dtype != torch.int64:
            raise ValueError(f"n_samples must be int64, as drawn, got {n_samples.dtype}")
        if n_samples.numel() and (n_samples.min() <= m or n_samples.max() > K):
            raise ValueError(
                f"n_samples must lie in ({m}, {K}], between n_base and the rows of log_w, "
                f"got {int(n_samples.min())} to {int(n_samples.max())}"
            )
        # In float64: late steps are tiny differences, and the roulette multiplies them.
        bounds = torch.logcumsumexp(in_float64(log_w), dim=0)
        counts = torch.arange(1, K + 1, device=bounds.device)
        counts = counts.reshape(-1, *[1] * (log_w.ndim - 1))
        bounds = bounds - counts.to(bounds).log()
        if torch.isneginf(bounds[m - 1]).any():
            raise ValueError(f"the first {m} weights of a column are all zero: log 0 has no steps")
        steps = counts[m:] - m
        reached = counts[m:] <= n_samples.to(bounds.device)
        kept = torch.where(reached, 1 / self.survival(steps), 0.0)
        return (bounds[m - 1] + (bounds.diff(dim=0)[m - 1 :] * kept).sum(dim=0)).to(log_w)
