"""A browser's question waits for news, never for long, and keeps the run watched meanwhile."""

import asyncio
import time

import patience
import pytest
from by_hand import ByHand
from starlette.requests import Request

from iwae_core.runtime import watched
from iwae_core.training import TrainConfig
from iwae_core.ui import waiting

SMALL = TrainConfig(dataset="moons", hidden=(4,), latent_dim=2, n_samples=2)


@pytest.fixture
def pool():
    return ByHand()


@pytest.fixture
def run(pool):
    """A run that has shown its step 0, and waits for its dear bound."""
    run = watched.open_run(SMALL, pool)
    pool.finish()
    run.poll()
    yield run
    watched.close(run.run_id)


@pytest.fixture
def never(monkeypatch):
    """Who waits for nothing ends long before this."""
    monkeypatch.setattr(waiting, "LONGEST_SECONDS", patience.SECONDS)
    return waiting.LONGEST_SECONDS


def question(run_id, query):
    scope = {"type": "http", "path_params": {"run_id": run_id}, "query_string": query.encode()}
    return Request(scope | {"headers": []})


def waited(run_id, query, meanwhile=None):
    async def both():
        began = time.monotonic()
        asked = asyncio.create_task(waiting.for_news(question(run_id, query), "RUNS"))
        if meanwhile is not None:
            await asyncio.sleep(0.1)
            assert not asked.done()
            meanwhile()
        await asked
        return time.monotonic() - began

    return asyncio.run(both())


@pytest.mark.parametrize("query", ["", "news=-1", "news=nonsense"])
def test_who_does_not_know_the_last_news_waits_for_nothing(run, query, never):
    assert waited(run.run_id, query) < never


def test_nobody_waits_for_a_run_that_is_gone(run, never):
    assert waited("unknown", f"news={run.n_news}") < never


@pytest.mark.parametrize(
    "change",
    [
        lambda run: run.reset(),
        lambda run: run.pace(10.0),
        lambda run: run.change(n_samples=3),
        lambda run: run.open(2),
        lambda run: run.close(),
    ],
    ids=["reset", "pace", "change", "open", "close"],
)
def test_what_somebody_asks_of_it_ends_the_wait(run, change, never):
    assert waited(run.run_id, f"news={run.n_news}", lambda: change(run)) < never


def test_so_does_what_a_worker_brings(run, pool, never):
    run.step()
    assert waited(run.run_id, f"news={run.n_news}", pool.finish) < never
    assert run.status().step == 1
    assert waited(run.run_id, f"news={run.n_news}", pool.finish_beside) < never
    assert run.history.deepest >= 0


def test_without_news_the_answer_comes_after_a_second_and_the_run_stays_watched(run):
    before = run.last_poll
    assert waited(run.run_id, f"news={run.n_news}") >= waiting.LONGEST_SECONDS
    assert run.last_poll > before + 0.5 * waiting.LONGEST_SECONDS
