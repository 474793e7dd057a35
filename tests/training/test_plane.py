"""Sets in the plane: the latents are used from the start."""

import pytest

from iwae_core.training import TrainConfig, advance, begin
from iwae_core.training.frame import observe


@pytest.mark.parametrize("dataset", ["moons", "rings"])
def test_both_latents_are_active_after_a_few_hundred_steps(dataset):
    # Started at the data's own scale, the learned noise explains everything at first, and one
    # latent of the moons is still asleep here.
    state = begin(TrainConfig(dataset=dataset, latent_dim=2, n_samples=5, seed=0))
    assert observe(advance(state, 500).state).glance.active.sum() == 2
