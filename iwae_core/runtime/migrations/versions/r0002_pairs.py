"""Twins: two runs that belong together."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Let a run name the pair that it is of."""
    # No copy of the table, as a foreign key would need: SQLite would drop the kept states with it.
    op.add_column("runs", sa.Column("pair_id", sa.String(32)))
    op.create_index("ix_runs_pair_id", "runs", ["pair_id"])


def downgrade() -> None:
    """Forget the pairs; their runs stay, each on its own."""
    op.drop_index("ix_runs_pair_id", "runs")
    op.drop_column("runs", "pair_id")
