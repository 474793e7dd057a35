"""Randomness as a value: every draw in the package names the generator it comes from.

``torch.distributions`` and ``torch.manual_seed`` share one global stream between all threads, so
two people who train at once would change each other's numbers. Here a seed makes a generator,
and a *path* of names and integers below a seed makes further independent ones. A training step
``t`` asks for ``stream(seed, "noise", t)``: its noise depends on the seed and on ``t`` alone, not
on what was drawn before, so a run can be cut into slices, moved to another process or replayed
from the middle and still give the same bits.
"""

import hashlib

import torch
from torch import Tensor

from iwae_core.counts import check_shape, is_count
from iwae_core.precision import in_float64, widest


def make_generator(seed: int, device: str | torch.device = "cpu") -> torch.Generator:
    """Make a generator that is fully decided by ``seed``.

    Args:
        seed: Any integer in [0, 2**63).
        device: Where the numbers are drawn; CPU and CUDA streams of one seed differ.

    Raises:
        ValueError: If ``seed`` is not whole, is negative or does not fit 63 bits.
    """
    if not is_count(seed, 0) or seed >= 2**63:
        raise ValueError(f"seed must lie in [0, 2**63) and be whole, got {seed!r}")
    return torch.Generator(device=device).manual_seed(seed)


def derive_seed(seed: int, *path: str | int) -> int:
    """Hash a seed and a path of names to a new seed in [0, 2**63).

    torch's CPU generator keeps 32 bits of its seed, so two paths give the same stream with
    probability 2**-32 each; consecutive step numbers give unrelated streams because of the hash.

    >>> derive_seed(0, "noise", 1) != derive_seed(0, "noise", 2)
    True
    """
    digest = hashlib.blake2b(repr((seed, *path)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def stream(seed: int, *path: str | int, device: str | torch.device = "cpu") -> torch.Generator:
    """Make the generator that belongs to ``path`` below ``seed``."""
    return make_generator(derive_seed(seed, *path), device)


def standard_normal(
    shape: tuple[int, ...],
    generator: torch.Generator,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Draw independent N(0, 1) numbers of the given shape on the generator's device.

    A device without float64 draws in float32; the numbers are returned in float64 on the CPU.

    Raises:
        ValueError: If a length is negative or not whole.
    """
    check_shape(shape)
    device = generator.device
    if dtype is torch.float64 and widest(device) is not torch.float64:
        return in_float64(torch.randn(shape, generator=generator, device=device))
    return torch.randn(shape, generator=generator, device=device, dtype=dtype)


def uniform(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Draw independent uniform numbers in [0, 1), float64.

    A device without float64 draws two numbers of 24 bits for each, joined to 48 on the CPU.

    Raises:
        ValueError: If a length is negative or not whole.
    """
    check_shape(shape)
    device = generator.device
    if widest(device) is torch.float64:
        return torch.rand(shape, generator=generator, device=device, dtype=torch.float64)
    high, low = (in_float64(torch.rand(shape, generator=generator, device=device)) for _ in "hl")
    return high + low * 2.0**-24
