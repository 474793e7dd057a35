"""Numbers in float64, also from a device that has none (no such device is here: a stand-in)."""

from types import SimpleNamespace

import pytest
import torch

from iwae_core.precision import in_float64, widest


def test_what_a_device_without_float64_holds_is_brought_to_the_cpu_first():
    def refuse():
        raise TypeError("Cannot convert a MPS Tensor to float64 dtype")

    device = torch.device("mps")
    there = SimpleNamespace(device=device, cpu=lambda: torch.ones(3), double=refuse)
    assert in_float64(there).dtype is torch.float64
    assert widest(device) is torch.float32


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_elsewhere_the_numbers_stay_where_they_are(dtype):
    values = torch.rand(5, dtype=dtype)
    assert torch.equal(in_float64(values), values.double())
