r"""A digit drawn by hand on 8x8 pixels, and the short string that carries it in an address.

Ink has 17 levels, as in the digits that ship with the project, and so one character a pixel,
row by row: the string *is* the drawing. The networks were trained on black and white pixels, a
pixel of ink p black with probability p. A drawing is turned into such pixels by one throw of
64 dice that never changes, so that the same drawing is always the same datapoint and a stroke
changes only the pixels it touches.
"""

from functools import lru_cache

import torch
from torch import Tensor

from iwae_core.rng import stream

SIDE = 8
N_PIXELS = SIDE * SIDE
N_LEVELS = 17
ALPHABET = "ABCDEFGHIJKLMNOPQ"  # no ink to full ink
_DICE = 1  # seed of the throw


def encode(ink: Tensor) -> str:
    """The string of a drawing; each pixel goes to the nearest level.

    Args:
        ink: Of each pixel, in [0, 1], 64 numbers in any shape, row by row.

    Raises:
        ValueError: If there are not 64 pixels, or one lies outside [0, 1].

    >>> encode(torch.tensor([0.0, 0.5, 1.0, *[0.0] * 61]))[:4]
    'AIQA'
    """
    flat = ink.flatten()
    if len(flat) != N_PIXELS:
        raise ValueError(f"a drawing has {N_PIXELS} pixels, got {len(flat)}")
    wrong = flat[~((flat >= 0) & (flat <= 1))]
    if len(wrong):
        raise ValueError(f"ink must lie in [0, 1], got {wrong[0].item()}")
    return "".join(ALPHABET[round(level * (N_LEVELS - 1))] for level in flat.tolist())


def decode(code: str) -> Tensor:
    """Ink of each pixel in [0, 1], ``(64,)`` float64.

    Raises:
        ValueError: If the string has another length or a character that no drawing has.

    >>> decode("Q" + 63 * "A").sum().item()
    1.0
    """
    if len(code) != N_PIXELS:
        raise ValueError(f"a drawing has {N_PIXELS} characters, got {len(code)}: was it cut?")
    unknown = sorted(set(code) - set(ALPHABET))
    if unknown:
        raise ValueError(f"a drawing is written in A-Q, got {unknown[0]!r}: was it changed?")
    levels = [ALPHABET.index(character) for character in code]
    return torch.tensor(levels, dtype=torch.float64) / (N_LEVELS - 1)


@lru_cache(maxsize=1)
def dice() -> Tensor:
    """The throw that turns ink into black and white, ``(64,)`` float64 in [0, 1)."""
    return torch.rand(N_PIXELS, generator=stream(_DICE, "drawing"), dtype=torch.float64)


def pixels(code: str) -> Tensor:
    """What a network sees of a drawing: black (1) and white (0) pixels, ``(1, 64)`` float64.

    Full ink is always black and no ink always white.

    Raises:
        ValueError: As :func:`decode`.
    """
    return (dice() < decode(code)).double().unsqueeze(0)
