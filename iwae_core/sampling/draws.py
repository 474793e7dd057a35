r"""Draws from q, and the functions that weigh them: where a model ends and a bound begins.

An objective needs only the numbers ``log_w``. A *gradient estimator* needs a little more: it
recomputes a log weight with some path of the graph cut (q's parameters for sticking the landing,
z itself for wake-sleep). :class:`Draws` therefore carries functions of z rather than numbers, so
that each estimator says in one line what it cuts.
"""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

LogDensity = Callable[[Tensor], Tensor]  # z (K, B, d) -> (K, B), in nats


@dataclass(frozen=True, slots=True)
class Draws:
    r"""K reparameterized draws per datapoint, :math:`z = \mu_\phi(x) + \sigma_\phi(x)\,\epsilon`.

    Attributes:
        z: The draws, shape ``(K, B, d)``; their graph leads to the encoder's parameters.
        log_likelihood: ``log p(x | z)``; its graph leads to the decoder's parameters and to z.
        log_prior: ``log p(z)``; to z, and to the decoder's parameters where the prior has some.
        log_q: ``log q(z | x)``; to the encoder's parameters and to z.
        log_q_path: ``log q(z | x)`` with the encoder's parameters held fixed; to z alone.
        log_q_z: ``log q(z | x)`` at the draws themselves, shape ``(K, B)``, where the model knows
            it from the noise more cheaply than ``log_q`` finds it from z; same value and gradient.
        kl_per_dim: Gives the closed-form KL(q(z_i | x) || p(z_i)), shape ``(B, d)`` in nats, where
            one exists; a function, since most estimators never ask.
        pick: Gives the draws ``(k_i, b_i)`` alone, as one sample of each of N datapoints, their
            graph built anew; the two arguments are index tensors of shape ``(N,)``.
    """

    z: Tensor
    log_likelihood: LogDensity
    log_prior: LogDensity
    log_q: LogDensity
    log_q_path: LogDensity
    log_q_z: Tensor | None = None
    kl_per_dim: Callable[[], Tensor] | None = None
    pick: "Callable[[Tensor, Tensor], Draws] | None" = None

    def log_w(self, beta: float = 1.0) -> Tensor:
        """Log weights ``log p(x | z) + beta (log p(z) - log q(z | x))``, shape ``(K, B)``.

        ``beta = 1`` gives importance weights; any other value gives the tempered weights that a
        KL warm-up trains with, whose mean is not p(x).
        """
        log_q = self.log_q(self.z) if self.log_q_z is None else self.log_q_z
        prior_over_q = self.log_prior(self.z) - log_q
        return self.log_likelihood(self.z) + beta * prior_over_q
