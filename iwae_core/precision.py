"""Double precision where there is any: Apple's GPUs compute in float32 at most."""

import torch
from torch import Tensor

_WITHOUT_FLOAT64 = ("mps",)


def widest(device: torch.device) -> torch.dtype:
    """The widest floating-point type of a device.

    >>> widest(torch.device("cpu")), widest(torch.device("mps"))
    (torch.float64, torch.float32)
    """
    return torch.float32 if device.type in _WITHOUT_FLOAT64 else torch.float64


def in_float64(values: Tensor) -> Tensor:
    """The same numbers in float64; brought to the CPU from a device that has none.

    >>> in_float64(torch.ones(2)).dtype
    torch.float64
    """
    return values.double() if widest(values.device) is torch.float64 else values.cpu().double()


def placed(values: Tensor, device: torch.device, dtype: torch.dtype) -> Tensor:
    """The same numbers in ``dtype`` on ``device``, or on the CPU if the device has no such type.

    >>> placed(torch.ones(2), torch.device("cpu"), torch.float64).dtype
    torch.float64
    """
    has_it = dtype is not torch.float64 or widest(device) is torch.float64
    return values.to(device if has_it else "cpu", dtype)
