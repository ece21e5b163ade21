"""Queue with lanes, graphs and workers."""

import sqlalchemy as sa
from alembic import op

revision = "isthmus_0002"
down_revision = "isthmus_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the tables of this revision."""
    op.create_table(
        "isthmus_channel",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=True),
        sa.Column("paused", sa.Boolean(), nullable=True),
        sa.Column("sequential", sa.Boolean(), nullable=True),
        sa.Column("throttle_s", sa.Double(), nullable=True),
        sa.Column("keep_done_s", sa.Double(), nullable=True),
        sa.Column("default_capacity", sa.Integer(), nullable=True),
        sa.Column("default_sequential", sa.Boolean(), nullable=True),
        sa.Column("next_start_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_isthmus_channel")),
    )
    op.create_table(
        "isthmus_job_edge",
        sa.Column(
            "parent_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column(
            "child_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("on_state", sa.String(), server_default="done", nullable=False),
        sa.PrimaryKeyConstraint("parent_id", "child_id", name=op.f("pk_isthmus_job_edge")),
    )
    op.create_index("ix_isthmus_job_edge_child_id", "isthmus_job_edge", ["child_id"], unique=False)
    op.create_table(
        "isthmus_slot",
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("n", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("worker_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("channel", "n", name=op.f("pk_isthmus_slot")),
    )
    op.create_index("ix_isthmus_slot_worker_id", "isthmus_slot", ["worker_id"], unique=False)
    op.create_table(
        "isthmus_worker",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("threads", sa.Integer(), server_default="1", nullable=False),
        sa.Column("channels", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("idle", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("leaving", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_isthmus_worker")),
        sa.UniqueConstraint("owner", name=op.f("uq_isthmus_worker_owner")),
        sqlite_autoincrement=True,
    )
    op.add_column(
        "isthmus_job",
        sa.Column("key_states", sa.String(), server_default="wait_dependencies,pending", nullable=False),
    )
    op.add_column(
        "isthmus_job",
        sa.Column("worker_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
    )
    op.add_column("isthmus_job", sa.Column("claim_no", sa.Integer(), nullable=True))
    op.add_column("isthmus_job", sa.Column("alone", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column(
        "isthmus_job",
        sa.Column("graph_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
    )
    op.add_column("isthmus_job", sa.Column("waits", sa.Integer(), server_default="0", nullable=False))
    op.drop_index(
        op.f("ix_isthmus_job_ready"),
        table_name="isthmus_job",
        sqlite_where=sa.text("state = 'pending' AND eta IS NULL"),
    )
    op.create_index(
        "ix_isthmus_job_ready",
        "isthmus_job",
        ["channel", "priority", "id"],
        unique=False,
        postgresql_where=sa.text("state = 'pending' AND eta IS NULL"),
        sqlite_where=sa.text("state = 'pending' AND eta IS NULL"),
    )
    op.drop_index(
        op.f("ix_isthmus_job_started"), table_name="isthmus_job", sqlite_where=sa.text("state = 'started'")
    )
    op.create_index(
        "ix_isthmus_job_started",
        "isthmus_job",
        ["worker_id"],
        unique=False,
        postgresql_where=sa.text("state = 'started'"),
        sqlite_where=sa.text("state = 'started'"),
    )
    op.create_index(
        "ix_isthmus_job_ended",
        "isthmus_job",
        ["channel", "finished_at"],
        unique=False,
        postgresql_where=sa.text("state IN ('done', 'cancelled')"),
        sqlite_where=sa.text("state IN ('done', 'cancelled')"),
    )
    op.create_index(
        "ix_isthmus_job_failed",
        "isthmus_job",
        ["channel", "id"],
        unique=False,
        postgresql_where=sa.text("state = 'failed'"),
        sqlite_where=sa.text("state = 'failed'"),
    )
    op.create_index(
        "ix_isthmus_job_graph_id",
        "isthmus_job",
        ["graph_id"],
        unique=False,
        postgresql_where=sa.text("graph_id IS NOT NULL"),
        sqlite_where=sa.text("graph_id IS NOT NULL"),
    )
    op.create_index(
        "ix_isthmus_job_returning",
        "isthmus_job",
        ["channel"],
        unique=False,
        postgresql_where=sa.text("state = 'pending' AND eta IS NOT NULL AND attempt > 0"),
        sqlite_where=sa.text("state = 'pending' AND eta IS NOT NULL AND attempt > 0"),
    )
    op.drop_index("uq_isthmus_job_identity_key", table_name="isthmus_job")
    op.create_index(
        "uq_isthmus_job_identity_key",
        "isthmus_job",
        ["identity_key"],
        unique=True,
        postgresql_where=sa.text("identity_key IS NOT NULL AND strpos(key_states, state) > 0"),
        sqlite_where=sa.text("identity_key IS NOT NULL AND instr(key_states, state) > 0"),
    )
    # What an earlier program's worker was running is run again: no worker row stands for it here.
    op.execute(
        "UPDATE isthmus_job SET state = 'cancelled' WHERE state = 'started' AND identity_key IN "
        "(SELECT identity_key FROM isthmus_job WHERE state IN ('wait_dependencies', 'pending'))"
    )
    op.execute("UPDATE isthmus_job SET state = 'pending' WHERE state = 'started'")
    op.drop_column("isthmus_job", "lease_until")
    op.drop_column("isthmus_job", "owner")
    op.execute("UPDATE isthmus_schema SET compatible_from = 2")


def downgrade() -> None:
    """Take them back."""
    op.execute("UPDATE isthmus_schema SET compatible_from = 1")
    op.add_column("isthmus_job", sa.Column("owner", sa.String(), nullable=True))
    op.add_column("isthmus_job", sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True))
    op.drop_index(
        "ix_isthmus_job_returning",
        table_name="isthmus_job",
        postgresql_where=sa.text("state = 'pending' AND eta IS NOT NULL AND attempt > 0"),
        sqlite_where=sa.text("state = 'pending' AND eta IS NOT NULL AND attempt > 0"),
    )
    op.drop_index(
        "ix_isthmus_job_graph_id",
        table_name="isthmus_job",
        postgresql_where=sa.text("graph_id IS NOT NULL"),
        sqlite_where=sa.text("graph_id IS NOT NULL"),
    )
    op.drop_index(
        "ix_isthmus_job_failed",
        table_name="isthmus_job",
        postgresql_where=sa.text("state = 'failed'"),
        sqlite_where=sa.text("state = 'failed'"),
    )
    op.drop_index(
        "ix_isthmus_job_ended",
        table_name="isthmus_job",
        postgresql_where=sa.text("state IN ('done', 'cancelled')"),
        sqlite_where=sa.text("state IN ('done', 'cancelled')"),
    )
    op.drop_index(
        "ix_isthmus_job_started",
        table_name="isthmus_job",
        postgresql_where=sa.text("state = 'started'"),
        sqlite_where=sa.text("state = 'started'"),
    )
    op.create_index(
        op.f("ix_isthmus_job_started"),
        "isthmus_job",
        ["owner"],
        unique=False,
        sqlite_where=sa.text("state = 'started'"),
    )
    op.drop_index(
        "ix_isthmus_job_ready",
        table_name="isthmus_job",
        postgresql_where=sa.text("state = 'pending' AND eta IS NULL"),
        sqlite_where=sa.text("state = 'pending' AND eta IS NULL"),
    )
    op.create_index(
        op.f("ix_isthmus_job_ready"),
        "isthmus_job",
        ["priority", "id"],
        unique=False,
        sqlite_where=sa.text("state = 'pending' AND eta IS NULL"),
    )
    op.drop_index("uq_isthmus_job_identity_key", table_name="isthmus_job")
    op.create_index(
        "uq_isthmus_job_identity_key",
        "isthmus_job",
        ["identity_key"],
        unique=True,
        postgresql_where=sa.text("identity_key IS NOT NULL AND state IN ('wait_dependencies', 'pending')"),
        sqlite_where=sa.text("identity_key IS NOT NULL AND state IN ('wait_dependencies', 'pending')"),
    )
    op.drop_column("isthmus_job", "waits")
    op.drop_column("isthmus_job", "graph_id")
    op.drop_column("isthmus_job", "alone")
    op.drop_column("isthmus_job", "claim_no")
    op.drop_column("isthmus_job", "worker_id")
    op.drop_column("isthmus_job", "key_states")
    op.drop_table("isthmus_worker")
    op.drop_index("ix_isthmus_slot_worker_id", table_name="isthmus_slot")
    op.drop_table("isthmus_slot")
    op.drop_index("ix_isthmus_job_edge_child_id", table_name="isthmus_job_edge")
    op.drop_table("isthmus_job_edge")
    op.drop_table("isthmus_channel")
