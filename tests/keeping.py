"""A keeper on a store of its own, whose workers a test runs by hand."""

import dataclasses

import databases
from by_hand import ByHand

from iwae_core.runtime.kept import Keeper
from iwae_core.runtime.kept_limits import Limits
from iwae_core.runtime.live import LiveRun
from iwae_core.runtime.store import Store
from iwae_core.training import TrainConfig

SMALL = TrainConfig(dataset="moons", hidden=(8,), latent_dim=2, n_samples=3, batch_size=50, seed=4)

LIMITS = Limits(n_playing=2, n_kept=3, n_recent=2, n_bytes=10_000_000)


class World:
    """A keeper, and what a server adds to it."""

    def __init__(self, folder):
        self.folder = folder
        self.pool = ByHand()
        self.now = 1000.0
        self.url = databases.fresh(folder)
        self.start_server()

    def start_server(self):
        """A server that knows nothing but what the store holds."""
        self.pool.waiting.clear()
        store = Store(self.url, self.folder / "arrays")
        self.keeper = Keeper(store, self.start, limits=LIMITS, clock=lambda: self.now)

    def start(self, config, owner):
        return LiveRun(config, self.pool, slice_seconds=0.005)

    def finish(self):
        while self.pool.waiting:
            self.pool.finish()

    def play(self, run, n_slices=3):
        run.play()
        for _ in range(n_slices):
            self.pool.finish()
        run.pause()
        self.pool.waiting.clear()

    def open(self, n_slices=3, owner="me", **changes):
        run = self.keeper.open(dataclasses.replace(SMALL, **changes), owner)
        self.pool.finish()
        self.play(run, n_slices)
        self.keeper.flush()
        return run
