"""The history of copies that were not in sync while their groups were protected."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "sync_history",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("group_id", sa.String(length=64), nullable=False),
        sa.Column("instance_count", sa.Integer(), nullable=False),
        sa.Column("pair_count", sa.Integer(), nullable=False),
        sa.Column("since", sa.Double(), nullable=False),
        sa.Column("until", sa.Double(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sync_history")),
    )
    with op.batch_alter_table("sync_history", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sync_history_group_id"), ["group_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_sync_history_project_id"), ["project_id"], unique=False)
        batch_op.create_index("ix_sync_history_project_until", ["project_id", "until"], unique=False)


def downgrade() -> None:
    """Take back."""
    op.drop_table("sync_history")
