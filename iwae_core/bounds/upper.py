r"""The other side: an upper bound on log p(x), where one exact posterior draw is to be had.

Replace one of the K draws of the importance-weighted bound by a draw from the exact posterior.
The mean weight then estimates p(x) under a law that prefers large values, and

    E[log (w_1 + .. + w_K) / K] >= log p(x),      z_1 ~ p(z | x),   z_2 .. z_K ~ q(z | x),

because 1 / (mean weight) averages to 1 / p(x) under it. At K = 1 the excess is KL(p(z|x) || q),
the mirror of the ELBO's gap. Data simulated from the model come with such a draw: the z they
were made from.
"""

import torch
from torch import Tensor

from iwae_core.sampling.weights import check_log_w, log_mean_exp


def exact_draw_upper_bound(log_w_exact: Tensor, log_w: Tensor) -> Tensor:
    r"""Log of the mean of one exact draw's weight and K - 1 weights of draws from q.

    Args:
        log_w_exact: Log weight ``log p(x, z) - log q(z | x)`` of the posterior draw, ``(*B,)``.
        log_w: Log weights of the draws from q, shape ``(K - 1, *B)``; K = 1 is allowed.

    Returns:
        Tensor of shape ``(*B,)`` in nats; above log p(x) in expectation, not each time.

    Raises:
        ValueError: If the shapes do not fit, or see
            :func:`iwae_core.sampling.weights.check_log_w`.

    Reference:
        Grosse, Ancha and Roy (2016), arXiv:1606.02275 (the sandwich with simulated data);
        Sobolev and Vetrov (2019), arXiv:1906.03708 (the multi-sample form).
    """
    if log_w.ndim == 0 or log_w.shape[1:] != log_w_exact.shape:
        raise ValueError(
            "log_w_exact must have log_w's batch shape, one exact draw per datapoint; "
            f"got {tuple(log_w_exact.shape)} beside log_w {tuple(log_w.shape)}"
        )
    together = torch.cat([log_w_exact.unsqueeze(0), log_w])
    check_log_w(together)
    return log_mean_exp(together)
