"""Schedules of jobs."""

import sqlalchemy as sa
from alembic import op

revision = "isthmus_0003"
down_revision = "isthmus_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the tables of this revision."""
    op.create_table(
        "isthmus_schedule",
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("method", sa.String(), nullable=False),
        sa.Column("record_id", sa.String(), nullable=False),
        sa.Column("spec", sa.String(), nullable=False),
        sa.Column("override", sa.String(), nullable=True),
        sa.Column("tz", sa.String(), server_default="UTC", nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_job_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("paused", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.PrimaryKeyConstraint("model", "method", "record_id", name=op.f("pk_isthmus_schedule")),
    )
    op.create_index(
        "ix_isthmus_schedule_next_at",
        "isthmus_schedule",
        ["next_at"],
        unique=False,
        postgresql_where=sa.text("next_at IS NOT NULL"),
        sqlite_where=sa.text("next_at IS NOT NULL"),
    )


def downgrade() -> None:
    """Take them back."""
    op.drop_index(
        "ix_isthmus_schedule_next_at",
        table_name="isthmus_schedule",
        postgresql_where=sa.text("next_at IS NOT NULL"),
        sqlite_where=sa.text("next_at IS NOT NULL"),
    )
    op.drop_table("isthmus_schedule")
