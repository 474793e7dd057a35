r"""A digit drawn by hand, and the short string that carries it in an address.

The digits that ship with the project were bitmaps of 32x32 black and white dots, counted in blocks
of 4x4, which gives 8x8 pixels whose ink has 17 levels (Alpaydin and Kaynak, 1998, Optical
Recognition of Handwritten Digits, UCI). A drawing is made in the same way, so its string holds
either the dots (base64, 171 characters) or, where nobody has drawn, the levels alone: one
character a pixel, row by row, 64 in all. Networks see the pixels only.

The networks were trained on black and white pixels, a pixel of ink p black with probability p. A
drawing is turned into such pixels by one throw of 64 dice that never changes, so that the same
drawing is always the same datapoint and a stroke changes only the pixels it touches.
"""

import base64
import binascii
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from iwae_core.rng import stream

SIDE = 8
N_PIXELS = SIDE * SIDE
N_LEVELS = 17
ALPHABET = "ABCDEFGHIJKLMNOPQ"  # no ink to full ink
DOTS = 32  # of a side of the sheet that a hand draws on
N_LETTERS = 171  # of the sheet's 1,024 dots in base64
_BLOCK = DOTS // SIDE
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


def encode_dots(dots: Tensor) -> str:
    """The string of a sheet of dots.

    Args:
        dots: Whether each is black, ``(32, 32)``, row by row from the upper left corner.

    Raises:
        ValueError: If the sheet has another shape.

    >>> encode_dots(torch.zeros(32, 32, dtype=torch.bool)) == 171 * "A"
    True
    """
    if dots.shape != (DOTS, DOTS):
        raise ValueError(f"a sheet has {DOTS}x{DOTS} dots, got shape {tuple(dots.shape)}")
    sheet = np.packbits(dots.numpy().astype(np.uint8))
    return base64.urlsafe_b64encode(sheet.tobytes()).decode("ascii").rstrip("=")


def decode(code: str) -> Tensor:
    """Ink of each pixel in [0, 1], ``(64,)`` float64.

    Raises:
        ValueError: If the string has another length or a character that no drawing has.

    >>> decode("Q" + 63 * "A").sum().item()
    1.0
    """
    if len(code) == N_LETTERS:
        blocks = _dots(code).reshape(SIDE, _BLOCK, SIDE, _BLOCK)
        return blocks.double().mean(dim=(1, 3)).flatten()
    if len(code) != N_PIXELS:
        raise ValueError(
            f"a drawing has {N_PIXELS} characters, or {N_LETTERS} if drawn by hand, "
            f"got {len(code)}: was it cut?"
        )
    unknown = sorted(set(code) - set(ALPHABET))
    if unknown:
        raise ValueError(f"a drawing is written in A-Q, got {unknown[0]!r}: was it changed?")
    levels = [ALPHABET.index(character) for character in code]
    return torch.tensor(levels, dtype=torch.float64) / (N_LEVELS - 1)


def _dots(code: str) -> Tensor:
    """The sheet of a string that holds one, ``(32, 32)``: 1 for a black dot."""
    try:
        sheet = base64.b64decode(code + "=", altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as fault:
        raise ValueError(f"the drawing's dots are not base64: was it changed? ({fault})") from None
    return torch.from_numpy(np.unpackbits(np.frombuffer(sheet, np.uint8))).reshape(DOTS, DOTS)


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
