"""Where the tests of the store keep their rows: a SQLite file each, or a database that is named.

``IWAE_LAB_TEST_DATABASE`` is the SQLAlchemy URL of an empty database that the tests may use. They
drop the store's tables in it, before each test: never name one that holds anything.
"""

import os
from pathlib import Path

import sqlalchemy as sa

from iwae_core.runtime import store_schema

OTHER = os.environ.get("IWAE_LAB_TEST_DATABASE", "")
KINDS = ("sqlite", "other") if OTHER else ("sqlite",)


def fresh(folder: Path, kind: str = KINDS[-1], name: str = "runs") -> str:
    """The URL of an empty database."""
    if kind == "sqlite":
        return f"sqlite:///{folder}/{name}.sqlite"
    engine = store_schema.connect(OTHER)
    with engine.begin() as connection:
        store_schema.metadata.drop_all(connection)
        connection.execute(sa.text("DROP TABLE IF EXISTS alembic_version"))
    engine.dispose()
    return OTHER
