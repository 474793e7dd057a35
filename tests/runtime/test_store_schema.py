"""How a database comes to the schema of the queries, on SQLite and on another kind if named."""

import json
import threading
from pathlib import Path

import databases
import numpy as np
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from iwae_core.runtime import kept, store_schema
from iwae_core.runtime.history import Seen
from iwae_core.runtime.lineage import Lineage
from iwae_core.runtime.store import Store
from iwae_core.runtime.store_record import lineage_from_json, lineage_to_json
from iwae_core.training import TrainConfig, begin

SMALL = TrainConfig(dataset="moons", hidden=(8,), latent_dim=2, n_samples=3, batch_size=50, seed=4)
PAST = lineage_to_json(Lineage(SMALL).changed(7, {"n_samples": 9}))

on_each = pytest.mark.parametrize("kind", databases.KINDS)


@on_each
def test_an_empty_database_and_every_older_revision_come_to_the_schema_of_the_queries(
    tmp_path, kind
):
    revisions = sorted(
        path.stem[1:5] for path in Path(store_schema._MIGRATIONS, "versions").glob("r*.py")
    )
    for start in [None, *revisions]:
        engine = store_schema.connect(databases.fresh(tmp_path, kind, f"from_{start}"))
        if start is not None:
            store_schema.migrate(engine, start)
        store_schema.migrate(engine)
        store_schema.migrate(engine)  # nothing left to do
        with engine.connect() as connection:
            context = MigrationContext.configure(connection)
            assert context.get_current_revision() == revisions[-1]
            assert compare_metadata(context, store_schema.metadata) == []
        engine.dispose()


@on_each
def test_a_run_of_the_first_revision_is_still_there_after_the_last_with_its_state(tmp_path, kind):
    url = databases.fresh(tmp_path, kind)
    engine = store_schema.connect(url)
    store_schema.migrate(engine, "0001")
    row = {"id": "old", "owner": "me", "name": "first", "created": 1.0, "updated": 2.0}
    columns = ", ".join([*row, "lineage", "step"])
    values = ", ".join([*(f":{name}" for name in row), ":past", "7"])
    with engine.begin() as connection:
        insert = sa.text(f"INSERT INTO runs ({columns}) VALUES ({values})")
        connection.execute(insert, row | {"past": json.dumps(PAST)})
        state = "INSERT INTO states (run_id, step, n_bytes) VALUES ('old', 7, 5)"
        connection.execute(sa.text(state))
    engine.dispose()
    opened = Store(url, tmp_path / "arrays")
    (found,) = opened.of("me")
    assert (found.name, found.step, found.pair_id) == ("first", 7, None)
    assert found.lineage == lineage_from_json(PAST)
    assert opened.kept_steps("old") == [7]
    opened.close()


@on_each
def test_several_threads_may_make_the_schema_at_once(tmp_path, kind):
    url, faults = databases.fresh(tmp_path, kind), []

    def open_store():
        try:
            Store(url, tmp_path / "arrays").close()
        except Exception as fault:
            faults.append(fault)

    threads = [threading.Thread(target=open_store) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults


def test_a_missing_driver_or_a_wrong_url_is_told_in_one_sentence(monkeypatch, tmp_path):
    kept.stop_shared()
    monkeypatch.setenv("IWAE_LAB_ARRAYS", str(tmp_path))
    for url, told in (
        ("oracle+oracledb://h/lab", "driver of a oracle database .* pip install .oracledb"),
        ("nosuch://h/lab", "nosuch"),
        ("no url", "Could not parse"),
    ):
        monkeypatch.setenv("IWAE_LAB_DATABASE", url)
        with pytest.raises(kept.NoStoreError, match=told) as refusal:
            kept.shared()
        assert "\n" not in str(refusal.value)
        assert str(refusal.value).startswith("runs cannot be kept on this server: ")
    monkeypatch.setattr(sa, "create_engine", _no_driver)
    with pytest.raises(ValueError, match=r"of a postgresql database .*psycopg\[binary\]"):
        store_schema.connect("postgresql://h/lab")


def _no_driver(url, **options):
    raise ModuleNotFoundError("No module named 'psycopg'", name="psycopg")


@on_each
def test_numbers_that_are_none_come_back_from_a_database(tmp_path, kind):
    # A run that diverges may have a bound that is not finite; its row is written all the same.
    from iwae_core.runtime.store_record import Record

    store = Store(databases.fresh(tmp_path, kind), tmp_path / "arrays")
    given = {"owner": "me", "created": 1.0, "updated": 1.0, "past": PAST}
    store.put(
        [Record(id="a", **given, bound_1=float("nan"), bound_64=float("-inf"), step=2**31 - 1)]
    )
    found = store.get("a")
    assert found.step == 2**31 - 1
    assert found.bound_64 in (float("-inf"), None)
    rows = np.zeros((0, 4), np.float32)
    store.keep("a", begin(SMALL), Seen(steps=rows, held_out=rows, deep=rows[:, :2]))
    store.close()
