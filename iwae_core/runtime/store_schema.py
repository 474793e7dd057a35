"""The store's tables, and how a database comes to have them.

The schema is what the migrations make (:mod:`iwae_core.runtime.migrations`); the tables below
say the same for queries, and a test compares the two.
"""

import threading
import time
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError

metadata = sa.MetaData()

runs = sa.Table(
    "runs",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("owner", sa.String(64), nullable=False, index=True),
    sa.Column("name", sa.String(80), nullable=False),
    sa.Column("parent_id", sa.ForeignKey("runs.id", ondelete="SET NULL")),
    sa.Column("parent_step", sa.Integer),
    sa.Column("created", sa.Float, nullable=False),  # seconds since 1970
    sa.Column("updated", sa.Float, nullable=False),
    sa.Column("lineage", sa.JSON, nullable=False),
    sa.Column("step", sa.Integer, nullable=False),
    sa.Column("stop", sa.JSON(none_as_null=True)),
    sa.Column("bound_1", sa.Float),  # nats, at the last look
    sa.Column("bound_64", sa.Float),
    sa.Column("pair_id", sa.String(32), index=True),  # of twins: the id of the first
)

states = sa.Table(
    "states",
    metadata,
    sa.Column("run_id", sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("step", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("n_bytes", sa.Integer, nullable=False),
)

# What to install for a driver that SQLAlchemy looks for, where that has another name.
_DRIVERS = {
    "psycopg": "psycopg[binary]",
    "psycopg2": "psycopg2-binary",
    "MySQLdb": "mysqlclient",
}
_MIGRATIONS = Path(__file__).parent / "migrations"
_BUSY_SECONDS = 10
_TRIES = 5
_migrating = threading.Lock()  # Alembic's environment is one per process


def connect(url: str) -> sa.Engine:
    """An engine for a URL; a SQLite file is set up to serve several threads and processes.

    Raises:
        OSError: If the folder of a SQLite file cannot be made.
        ValueError: If the driver of another database is not installed.
        sqlalchemy.exc.SQLAlchemyError: If there is no such kind of database.
    """
    try:
        # A server that was started anew has forgotten its connections: each is tried before use.
        engine = sa.create_engine(url, pool_pre_ping=True)
    except ModuleNotFoundError as fault:
        kind, driver = sa.make_url(url).get_backend_name(), str(fault.name)
        raise ValueError(
            f"the driver of a {kind} database is not installed here: "
            f'pip install "{_DRIVERS.get(driver, driver)}"'
        ) from fault
    if engine.dialect.name == "sqlite":
        if engine.url.database:
            Path(engine.url.database).parent.mkdir(parents=True, exist_ok=True)
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin)
    return engine


def _set_up_sqlite(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # transactions are begun by us, schema changes included
    for pragma in (
        f"busy_timeout = {_BUSY_SECONDS * 1000}",
        "journal_mode = WAL",  # readers do not wait for a writer
        "synchronous = NORMAL",  # a killed process loses nothing; a power cut the last moments
        "foreign_keys = ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def writing(engine: sa.Engine) -> sa.Engine:
    """The same engine for transactions that write.

    A SQLite transaction that has read may write only if nobody has written since, else it fails at
    once, whatever the patience; so one that will write takes its turn when it begins.
    """
    return engine.execution_options(writes=True)


def _begin(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get("writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def migrate(engine: sa.Engine, revision: str = "head") -> None:
    """Bring a database, empty or older, up to a revision; several may do so at once."""
    from alembic import command  # half a second that a server need not pay before its first run
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    for tries_left in reversed(range(_TRIES)):
        try:
            with _migrating, engine.begin() as connection:
                config.attributes["connection"] = connection
                command.upgrade(config, revision)
            return
        except DBAPIError:
            # Another process was a moment ahead: then the next try finds nothing to do.
            if not tries_left:
                raise
            time.sleep(0.2)


def told(fault: Exception) -> str:
    """A fault of a disk or a database in one line, without the statement that met it."""
    cause = fault.orig if isinstance(fault, DBAPIError) and fault.orig else fault
    return " ".join(str(cause).split())[:400]
