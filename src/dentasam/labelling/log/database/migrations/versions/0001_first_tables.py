"""The first tables: cases, their log, what it adds up to, comments and active time."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "cases",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("width", sa.Integer, nullable=False),
        sa.Column("height", sa.Integer, nullable=False),
        sa.Column("bits", sa.Integer, nullable=False),
        sa.Column("present", sa.Boolean, nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("uncertainty", sa.Float),
        sa.Column("updated", sa.String(40), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_cases"),
        sa.UniqueConstraint("name", name="uq_cases_name"),
    )
    op.create_table(
        "operations",
        sa.Column("case_id", sa.Integer, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("object_id", sa.String(36)),
        sa.Column("undoes", sa.String(36)),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.Column("data", sa.JSON, nullable=False),
        sa.Column("masks", sa.LargeBinary),
        sa.Column("annotator", sa.Text, nullable=False),
        sa.Column("received", sa.String(40), nullable=False),
        sa.PrimaryKeyConstraint("case_id", "revision", name="pk_operations"),
        sa.UniqueConstraint("case_id", "id", name="uq_operations_case_id"),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="fk_operations_case_id"),
    )
    op.create_table(
        "objects",
        sa.Column("case_id", sa.Integer, nullable=False),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("category", sa.Text),
        sa.Column("parent", sa.String(36)),
        sa.Column("locked", sa.Boolean, nullable=False),
        sa.Column("accepted", sa.Boolean, nullable=False),
        sa.Column("deleted", sa.Boolean, nullable=False),
        sa.Column("source", sa.String(20), nullable=False),
        sa.Column("prompts", sa.JSON),
        sa.Column("model", sa.JSON),
        sa.Column("area", sa.BigInteger, nullable=False),
        sa.Column("created", sa.Integer, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("annotator", sa.Text, nullable=False),
        sa.Column("masks", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("case_id", "id", name="pk_objects"),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="fk_objects_case_id"),
    )
    op.create_table(
        "comments",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("case_id", sa.Integer, nullable=False),
        sa.Column("annotator", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("time", sa.String(40), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_comments"),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="fk_comments_case_id"),
    )
    op.create_index("ix_comments_case_id", "comments", ["case_id"])
    op.create_table(
        "intervals",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("case_id", sa.Integer, nullable=False),
        sa.Column("annotator", sa.Text, nullable=False),
        sa.Column("tool", sa.String(50), nullable=False),
        sa.Column("object_id", sa.String(64)),
        sa.Column("start", sa.Float, nullable=False),
        sa.Column("stop", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_intervals"),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="fk_intervals_case_id"),
    )
    op.create_index("ix_intervals_case_id", "intervals", ["case_id"])
    op.create_index("ix_intervals_annotator_start", "intervals", ["annotator", "start"])


def downgrade() -> None:
    raise NotImplementedError("the first tables hold the work itself; delete the database to be rid of it")
