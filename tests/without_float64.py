"""A stand-in for a device without float64 (Apple's GPUs), since the tests run where there is none.

Its tensors say that they live on torch's "meta" device and hold their numbers on the CPU. As on
the real one, making a float64 tensor there raises TypeError, and an operation between a tensor
there and one that stayed on the CPU RuntimeError. Use :func:`elsewhere` around what is tested.
"""

import contextlib
from collections.abc import Iterator

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

from iwae_core import precision

DEVICE = torch.device("meta")
# These take index tensors or values from the CPU on every device.
_MIXING = {"copy_", "index", "index_put_", "_index_put_impl_"}


class There(torch.Tensor):
    """A tensor of the stand-in device, with its numbers in ``held``."""

    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, held):
        if held.dtype is torch.float64:
            raise TypeError("Cannot convert a tensor to float64: this device has no such type")
        return torch.Tensor._make_wrapper_subclass(
            cls, held.shape, strides=held.stride(), dtype=held.dtype, device=DEVICE
        )

    def __init__(self, held):
        self.held = held

    def __repr__(self):
        return f"There({self.held!r})"

    @property
    def data(self):
        return self.detach()

    @data.setter
    def data(self, value):
        self.held = value.held

    def tolist(self):
        return self.held.tolist()

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return _run(func, args, kwargs or {})


class Generator(torch.Generator):
    """A generator of the stand-in device."""

    @property
    def device(self):
        return DEVICE


def _is_there(device):
    return device is not None and torch.device(device) == DEVICE


def _run(func, args, kwargs):
    met = set()

    def unwrap(value):
        if isinstance(value, There):
            met.add("there")
            return value.held
        if isinstance(value, torch.Tensor) and value.ndim:
            met.add("here")
        return value

    plain_args, plain_kwargs = tree_map(unwrap, (args, kwargs))
    to_there = "there" in met
    if plain_kwargs.get("device") is not None:
        to_there = _is_there(plain_kwargs["device"])
        plain_kwargs = {**plain_kwargs, "device": torch.device("cpu")}
    elif len(met) == 2 and func.overloadpacket.__name__ not in _MIXING:
        raise RuntimeError(f"{func} got tensors of two devices")
    out = func(*plain_args, **plain_kwargs)
    if func._schema.is_mutable:
        return args[0] if isinstance(out, torch.Tensor) else out
    if not to_there:
        return out
    return tree_map(lambda value: There(value) if isinstance(value, torch.Tensor) else value, out)


class _Operations(TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return _run(func, args, kwargs or {})


class _Functions(TorchFunctionMode):
    """``torch.tensor`` never dispatches for the "meta" device."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if func in (torch.tensor, torch.as_tensor) and _is_there(kwargs.get("device")):
            del kwargs["device"]
            return There(func(*args, **kwargs))
        return func(*args, **kwargs)


@contextlib.contextmanager
def elsewhere(monkeypatch) -> Iterator[None]:
    """Inside, ``DEVICE`` is a device that computes, but not in float64."""
    monkeypatch.setattr(precision, "_WITHOUT_FLOAT64", (DEVICE.type,))
    with _Functions(), _Operations():
        yield
