"""Runs and their kept states."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the two tables."""
    op.create_table(
        "runs",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("owner", sa.String(64), nullable=False, index=True),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column(
            "parent_id",
            sa.String(32),
            sa.ForeignKey("runs.id", name="fk_runs_parent", ondelete="SET NULL"),
        ),
        sa.Column("parent_step", sa.Integer),
        sa.Column("created", sa.Float, nullable=False),
        sa.Column("updated", sa.Float, nullable=False),
        sa.Column("lineage", sa.JSON, nullable=False),
        sa.Column("step", sa.Integer, nullable=False),
        sa.Column("stop", sa.JSON),
        sa.Column("bound_1", sa.Float),
        sa.Column("bound_64", sa.Float),
    )
    op.create_table(
        "states",
        sa.Column(
            "run_id",
            sa.String(32),
            sa.ForeignKey("runs.id", name="fk_states_run", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("step", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("n_bytes", sa.Integer, nullable=False),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("states")
    op.drop_table("runs")
