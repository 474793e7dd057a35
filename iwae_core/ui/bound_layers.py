"""The heavy layers of the bound's curve: shipped for the scenes, else worked out by workers.

A batch of repeats is one task of the shared executor, and the next one is submitted when it ends.
So a job takes one worker at a time, its progress is known, and it stops between two batches as
soon as nobody waits for it.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from functools import cache, partial
from typing import Any

import streamlit as st

from iwae_core.evaluation.studies import layers as study
from iwae_core.evaluation.studies import saved
from iwae_core.evaluation.studies.layers import LayersConfig, LayersReport
from iwae_core.places import ASSETS
from iwae_core.runtime import executor

_MOST_KEPT = 64
_ASKED = "bound_layers.asked"  # the config this session waits for

_lock = threading.Lock()
_kept: OrderedDict[LayersConfig, LayersReport] = OrderedDict()
_running: dict[LayersConfig, "Job"] = {}


class Job:
    """One config on its way through the workers; several sessions may wait for it."""

    def __init__(self, config: LayersConfig) -> None:
        self.config = config
        self.waiting = 0
        self.failed = False
        self._batches: list[study.Batch] = []

    @property
    def share(self) -> float:
        """Share done, in [0, 1]."""
        return len(self._batches) / (len(study.STARTS) + 1)

    def go_on(self) -> None:
        """Submit what comes next, unless nobody waits."""
        with _lock:
            if self.waiting <= 0:
                _running.pop(self.config, None)
                return
        done = len(self._batches)
        if done < len(study.STARTS):
            task = partial(study.batch, self.config, study.STARTS[done])
            self._submit(task, self._batches.append)
        else:
            self._submit(partial(study.report, self.config, self._batches), self._keep)

    def _submit(self, task: Callable[[], Any], take: Callable[[Any], None]) -> None:
        def ended(future: Future[Any]) -> None:
            try:
                take(future.result())
            except (Exception, CancelledError):  # a killed worker, or the server stops
                self.failed = True
                with _lock:
                    _running.pop(self.config, None)
                return
            if self.config in _running:
                self.go_on()

        executor.shared().submit(task).add_done_callback(ended)

    def _keep(self, report: LayersReport) -> None:
        with _lock:
            _kept[self.config] = report
            while len(_kept) > _MOST_KEPT:
                _kept.popitem(last=False)
            _running.pop(self.config, None)


def known(config: LayersConfig) -> LayersReport | None:
    """The report, if it was shipped or has been worked out."""
    name = _shipped().get(config)
    return _load(name) if name else _kept.get(config)


def start(config: LayersConfig) -> None:
    """Ask for a report, for this session."""
    cancel()
    with _lock:
        if config in _kept:
            return
        job = _running.get(config)
        is_new = job is None
        job = _running.setdefault(config, Job(config)) if job is None else job
        job.waiting += 1
    st.session_state[_ASKED] = config
    if is_new:
        job.go_on()


def cancel() -> None:
    """Wait no longer; the work stops after its batch unless another session waits too."""
    config = st.session_state.pop(_ASKED, None)
    with _lock:
        if config in _running:
            _running[config].waiting -= 1


def offer(config: LayersConfig) -> None:
    """Place the button that asks for the layers, or their progress with a way to stop."""
    if known(config):
        return
    if st.session_state.get(_ASKED) == config and config in _running:
        _watch(config)
    else:
        st.button(
            "Work out the layers for this q",
            on_click=start,
            args=(config,),
            icon=":material/layers:",
            help="Exact curves to K = 10,000, the upper bound, jackknife and Renyi, with 512 "
            "repeats: some ten seconds in a worker process. Scenes have them ready.",
        )


@st.fragment(run_every=1.0)
def _watch(config: LayersConfig) -> None:
    job = _running.get(config)
    if job is None or st.session_state.get(_ASKED) != config:
        st.rerun()
    else:
        st.progress(job.share, text=f"Layers: {100 * job.share:.0f} % of the repeats")
        st.button("Cancel", on_click=cancel, icon=":material/close:")


@cache
def _shipped() -> dict[LayersConfig, str]:
    found = {LayersConfig(**_settings(scene)): name for name, scene in study.SCENES.items()}
    return {config: name for config, name in found.items() if _path(name).is_file()}


def _settings(scene: Any) -> dict[str, Any]:
    return dict(scene.settings)


def _path(name: str) -> Any:
    return ASSETS / "studies" / f"layers_{name}.json"


@cache
def _load(name: str) -> LayersReport:
    return saved.from_json(LayersReport, _path(name).read_text(encoding="utf-8"))
