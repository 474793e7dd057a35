"""Streams of random numbers are decided by their path and by nothing else."""

import pytest
import torch

from iwae_core import rng


def test_a_stream_depends_on_its_path_and_not_on_what_was_drawn_before():
    first = rng.standard_normal((5,), rng.stream(3, "noise", 7))
    rng.standard_normal((100,), rng.stream(3, "noise", 6))
    torch.manual_seed(1)
    again = rng.standard_normal((5,), rng.stream(3, "noise", 7))
    assert torch.equal(first, again)


def test_different_paths_give_different_seeds():
    paths = [("noise", t) for t in range(1000)] + [("data", t) for t in range(1000)]
    seeds = {rng.derive_seed(seed, *path) for seed in range(3) for path in paths}
    assert len(seeds) == 6000
    assert rng.derive_seed(1, "a", 2) != rng.derive_seed(1, "a2")


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_a_seed_out_of_range_is_refused(seed):
    with pytest.raises(ValueError, match="seed must lie in"):
        rng.make_generator(seed)
