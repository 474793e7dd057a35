"""CUDA graphs on the CPU: what a recorded step does, told apart from the step itself.

A graph holds operations and *addresses*: a replay repeats each operation on the very tensors that
it met, whatever Python has computed meanwhile. Numbers that were Python floats are baked in. Here
a dispatch mode takes the operations down and a replay repeats them, writing into the tensors of
the recording. What CUDA forbids while it records raises: reading a number on the host, results
whose shape depends on the data, tensors made of host data, draws from a generator that was not
registered. As on CUDA, recording computes nothing: what a recorded operation returned is NaN until
the first replay.
"""

import contextlib

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

_SYNCHRONIZES = {
    "_local_scalar_dense",
    "nonzero",
    "masked_select",
    "_unique2",
    "lift_fresh",
    "is_nonzero",
    "equal",
}


class Graph(TorchDispatchMode):
    """Stands for :class:`torch.cuda.CUDAGraph`."""

    def __init__(self):
        super().__init__()
        self.generators = []
        self.calls = []

    def register_generator_state(self, generator):
        assert not self.calls, "a generator is registered before the recording starts"
        self.generators.append(generator)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = func.overloadpacket.__name__
        by_mask = name == "index" and any(leaf.dtype is torch.bool for leaf in _tensors(args[1]))
        if name in _SYNCHRONIZES or by_mask:
            raise RuntimeError(f"operation not permitted when stream is capturing: {name}")
        out = func(*args, **kwargs)
        if torch.Tag.nondeterministic_seeded in func.tags:
            self._check_registered(name, kwargs.get("generator"))
        self.calls.append((func, args, kwargs, out))
        return out

    def _check_registered(self, name, generator):
        # Python meets a new wrapper of a generator at each call: known by the state they share.
        known = generator is not None and any(
            torch.equal(each.get_state(), generator.get_state()) for each in self.generators
        )
        assert known, f"{name} draws from a generator that was not registered"

    def forget(self):
        """Nothing was computed while recording."""
        for func, _, _, out in self.calls:
            if _is_fresh(func):
                for tensor in _tensors(out):
                    if tensor.is_floating_point():
                        tensor.detach().fill_(torch.nan)

    @torch.no_grad()
    def replay(self):
        for func, args, kwargs, out in self.calls:
            again = func(*args, **kwargs)
            if _is_fresh(func):
                for tensor, number in zip(_tensors(out), _tensors(again), strict=True):
                    tensor.detach().copy_(number)


class Stream:
    """Stands for :class:`torch.cuda.Stream`; work on one of the CPU is never late."""

    def __init__(self):
        self.waited_for = []

    def wait_stream(self, other):
        self.waited_for.append(other)


def _is_fresh(func):
    """Whether the operation returns new memory: it changes no argument and is no view of one."""
    return not any(value.alias_info for value in func._schema.returns)


def _tensors(out):
    return [leaf for leaf in tree_leaves(out) if isinstance(leaf, torch.Tensor)]


class Emulator:
    """What was recorded and where, after :meth:`install`."""

    def __init__(self):
        self.graphs = []
        self.main, self.warmed = Stream(), []

    def install(self, monkeypatch):
        """Put the stand-ins into ``torch.cuda``."""
        monkeypatch.setattr(torch.cuda, "CUDAGraph", self._new_graph)
        monkeypatch.setattr(torch.cuda, "graph", self._record)
        monkeypatch.setattr(torch.cuda, "Stream", Stream)
        monkeypatch.setattr(torch.cuda, "stream", self._on)
        monkeypatch.setattr(torch.cuda, "current_stream", lambda: self.main)
        monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)

    def _new_graph(self):
        self.graphs.append(Graph())
        return self.graphs[-1]

    @contextlib.contextmanager
    def _on(self, stream):
        assert self.main in stream.waited_for, "the side stream starts before its data are there"
        yield
        self.warmed.append(stream)

    @contextlib.contextmanager
    def _record(self, graph):
        assert set(self.warmed) <= set(self.main.waited_for), "the warm-up is not waited for"
        with graph:
            yield
        graph.forget()
