r"""An output layer whose pixels see the earlier ones: p(x | z) = prod_j p(x_j | x_<j, z).

Pixels come in raster order. With g the decoder's last hidden units (what z says):

    h_m = act(sum_{i < deg(m)} V_mi x_i + (U g)_m + c_m)        hidden unit m sees deg(m) pixels
    l_j = sum_{m: deg(m) <= j} A_jm h_m + sum_{i < j} L_ji x_i + (R g)_j + b_j

The masks make l_j blind to x_j and everything after it, so one pass gives log p(x | z) for all
pixels and all K samples (Germain et al., 2015, MADE, with one hidden layer); R g is the residual
path on which z reaches every pixel. Such a decoder can model x alone and leave z unused: it is the
classic cause of posterior collapse (Chen et al., 2017, arXiv:1611.02731).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from iwae_core.models.networks import ACTIVATIONS, Linear
from iwae_core.rng import stream

_N_PATHS = 8  # ancestral draws behind the expected pixels


class AutoregressiveBernoulli(nn.Module):
    """Binary pixels in raster order, each given the earlier ones and z.

    Args:
        n_hidden: Width of the decoder's last hidden layer, and of the masked hidden layer.
        data_dim: D, pixels.
        activation: Of the masked hidden layer.
    """

    sees: Tensor
    feeds: Tensor

    def __init__(self, n_hidden: int, data_dim: int, activation: str) -> None:
        super().__init__()
        self.activation = ACTIVATIONS[activation]
        self.hidden_from_pixels = Linear(data_dim, n_hidden, bias=False)
        self.hidden_from_latent = Linear(n_hidden, n_hidden)
        self.logits_from_hidden = Linear(n_hidden, data_dim, bias=False)
        self.logits_from_latent = Linear(n_hidden, data_dim)
        # Starts at zero, so that a fresh model's pixels follow the data's mean.
        self.logits_from_pixels = nn.Parameter(torch.zeros(data_dim, data_dim))
        pixels = torch.arange(data_dim)
        degrees = torch.arange(n_hidden) * data_dim // n_hidden  # sorted, from 0 to D - 1
        self.register_buffer("sees", pixels < degrees[:, None], persistent=False)
        self.register_buffer("feeds", degrees <= pixels[:, None], persistent=False)
        self._n_ready = self.feeds.sum(dim=1).tolist()  # hidden units that pixel j may use

    def start_at(self, data_mean: Tensor) -> None:
        """Set the output bias to the logit of the data's mean, kept inside (0.001, 0.999)."""
        with torch.no_grad():
            self.logits_from_latent.bias.copy_(torch.logit(data_mean, eps=1e-3))

    def logits(self, x: Tensor, h: Tensor) -> Tensor:
        """Logits of every pixel given the earlier ones.

        Args:
            x: Binary data, shape ``(B, D)``.
            h: The decoder's hidden units, shape ``(K, B, H)``.

        Returns:
            Tensor of shape ``(K, B, D)``; entry j does not depend on ``x_j .. x_D``.
        """
        # What the pixels say does not depend on the sample: once per datapoint, whatever K.
        of_pixels = functional.linear(x, self.hidden_from_pixels.weight * self.sees)
        hidden = self.activation(of_pixels + self.hidden_from_latent(h))
        direct = functional.linear(x, self.logits_from_pixels.tril(-1))
        of_hidden = functional.linear(hidden, self.logits_from_hidden.weight * self.feeds)
        return of_hidden + self.logits_from_latent(h) + direct

    def log_prob(self, x: Tensor, h: Tensor) -> Tensor:
        """Log likelihood in nats, ``x (B, D)`` and ``h (K, B, H)`` to ``(K, B)``."""
        return functional.logsigmoid((2 * x - 1) * self.logits(x, h)).sum(dim=-1)

    def mean(self, h: Tensor) -> Tensor:
        """Expected data E[x | z], ``(*, H) -> (*, D)``, in [0, 1].

        The sum over all 2^D images is out of reach: this is the mean of p(x_j = 1 | x_<j, z) over
        8 ancestral draws, whose noise is fixed like the nodes of a quadrature rule. Equal h give
        equal means. The standard error is at most 0.18 per pixel.
        """
        noise = stream(0, "ancestral paths", device=h.device)
        paths = h.unsqueeze(0).expand(_N_PATHS, *h.shape)
        # Every datapoint follows the same 8 noise paths, so that pictures differ by z alone.
        one_set = torch.rand(
            (_N_PATHS, *([1] * (h.ndim - 1)), self._data_dim),
            generator=noise,
            device=h.device,
            dtype=h.dtype,
        )
        return self._ancestral(paths, one_set.expand(*paths.shape[:-1], -1))[1].mean(dim=0)

    def sample(self, h: Tensor, generator: torch.Generator) -> Tensor:
        """Draw binary data pixel by pixel, ``(*, H) -> (*, D)``."""
        uniform = torch.rand(
            (*h.shape[:-1], self._data_dim), generator=generator, device=h.device, dtype=h.dtype
        )
        return self._ancestral(h, uniform)[0]

    @property
    def _data_dim(self) -> int:
        return self.logits_from_pixels.shape[0]

    @torch.no_grad()
    def _ancestral(self, h: Tensor, uniform: Tensor) -> tuple[Tensor, Tensor]:
        """Pixels ``x_j = 1[u_j < p_j]`` in turn, and the p_j met on the way, both ``(*, D)``.

        Hidden units and pixels stand in one table, in the order in which they become known: each
        is a product with what stands before it, and is computed once.
        """
        flat = h.reshape(-1, h.shape[-1])
        n_hidden, D = self.sees.shape
        known = flat.new_zeros(len(flat), n_hidden + D)
        preset = self.hidden_from_latent(flat)
        thresholds = torch.logit(uniform.reshape(-1, D)).T.contiguous().unbind()
        logits = self.logits_from_latent(flat).T.contiguous()
        # Unit m, the m-th to be known, comes after the pixels it sees; pixel j after its units.
        unit_at = torch.arange(n_hidden, device=h.device) + self.sees.sum(dim=1)
        pixel_at = torch.arange(D, device=h.device) + self.feeds.sum(dim=1)
        for_units = flat.new_zeros(n_hidden, n_hidden + D)
        for_units[:, pixel_at] = self.hidden_from_pixels.weight
        for_pixels = flat.new_zeros(D, n_hidden + D)
        for_pixels[:, pixel_at] = self.logits_from_pixels
        for_pixels[:, unit_at] = self.logits_from_hidden.weight
        before = 0
        rows = zip(self._n_ready, logits, for_pixels.unbind(), thresholds, strict=True)
        for j, (ready, logit, weight, threshold) in enumerate(rows):
            if ready > before:
                at = before + j
                seen = for_units[before:ready, :at]
                new = torch.addmm(preset[:, before:ready], known[:, :at], seen.T)
                known[:, at : ready + j] = self.activation(new)
                before = ready
            logit.addmv_(known[:, : ready + j], weight[: ready + j])
            known[:, ready + j] = logit > threshold
        shape = (*h.shape[:-1], D)
        return known[:, pixel_at].view(shape), torch.sigmoid(logits.T).reshape(shape)
