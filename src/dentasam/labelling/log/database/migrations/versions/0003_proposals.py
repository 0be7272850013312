"""Proposals: how sure the model is of an object, and who changed it; and teeth that are missing."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("cases", sa.Column("missing", sa.JSON(none_as_null=True)))
    op.add_column("cases", sa.Column("charted", sa.String(64)))
    op.add_column("objects", sa.Column("confidence", sa.Float))
    op.add_column("objects", sa.Column("touches", sa.JSON(none_as_null=True)))
    op.add_column("objects", sa.Column("proposed", sa.Boolean, nullable=False, server_default=sa.false()))


def downgrade() -> None:
    for column in ("proposed", "touches", "confidence"):
        op.drop_column("objects", column)
    op.drop_column("cases", "charted")
    op.drop_column("cases", "missing")
