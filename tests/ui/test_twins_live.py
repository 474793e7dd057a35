"""What a pair sends to the browser: only what it does not know yet."""

from concurrent.futures import Executor, Future
from dataclasses import replace

import numpy as np

from iwae_core.runtime.twins import TwinRun
from iwae_core.runtime.wire import unpack
from iwae_core.training import TrainConfig
from iwae_core.ui import twins_live

B = TrainConfig(dataset="moons", hidden=(8,), latent_dim=2, n_samples=3, batch_size=50, seed=4)
A = replace(B, objective="elbo", n_samples=1)


class Inline(Executor):
    def submit(self, fn, /, *args):
        future = Future()
        future.set_result(fn(*args))
        return future


def test_a_message_holds_what_came_after_a_step_of_a_generation():
    pair = TwinRun(A, B, Inline())
    for n_steps in (2, 3):
        pair.step(n_steps)
    meta, arrays = unpack(twins_live.message(pair, -1, 1))
    assert (meta["mode"], meta["step"], meta["n_samples"]) == ("paused", 5, [1, 3])
    assert arrays["held_out"][:, 0].tolist() == [0, 2, 5]
    assert arrays["trained_b"][:, 0].tolist() == [1, 2, 3, 4, 5]
    assert arrays["latents_a"].shape == (300, 2)
    assert len(arrays["labels"]) == 300
    _, seen = pair.look()
    np.testing.assert_allclose(arrays["held_out"], seen.held_out)
    np.testing.assert_allclose(arrays["latents_b"], seen.looks[1].latents)
    meta, arrays = unpack(twins_live.message(pair, 2, 1))
    assert arrays["held_out"][:, 0].tolist() == [5]
    assert "labels" not in arrays
    assert "latents_a" in arrays
    meta, arrays = unpack(twins_live.message(pair, 5, 1))
    assert len(arrays["held_out"]) == 0
    assert "look_step" not in meta
    pair.reset()  # another generation: all of it is news, whatever the browser has seen
    meta, arrays = unpack(twins_live.message(pair, 5, 1))
    assert (meta["generation"], meta["step"]) == (2, 0)
    assert arrays["held_out"][:, 0].tolist() == [0]
    assert "labels" in arrays


def test_a_setting_is_named_in_a_few_words():
    assert twins_live.title(A) == "ELBO (VAE), K = 1"
    assert twins_live.title(replace(A, beta=0.25)) == "ELBO (VAE), K = 1, beta = 0.25"
