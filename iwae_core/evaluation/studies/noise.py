"""Much noise in little time, for studies of millions of draws."""

import numpy as np
import torch
from torch import Tensor

from iwae_core.rng import derive_seed


class NormalNoise:
    """Float64 noise, standard normal or Student t, that belongs to a path below a seed.

    Drawn by NumPy, which is about five times as fast as torch here. Like a generator, each call
    goes on where the last one stopped.

    >>> noise = NormalNoise(1, "draws")
    >>> noise((2, 3)).shape
    torch.Size([2, 3])
    """

    def __init__(self, seed: int, *path: str | int) -> None:
        self._source = np.random.Generator(np.random.PCG64(derive_seed(seed, *path)))

    def __call__(self, shape: tuple[int, ...]) -> Tensor:
        """The next standard normal numbers."""
        return torch.from_numpy(self._source.standard_normal(shape))

    def student_t(self, df: float, shape: tuple[int, ...]) -> Tensor:
        """The next numbers of a Student t; no transport of normal ones, but much faster."""
        return torch.from_numpy(self._source.standard_t(df, shape))
