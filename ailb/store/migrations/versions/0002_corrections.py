"""Corrections say which row they are about, when they were made, and why."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("entries", sa.Column("corrects", sa.BigInteger(), nullable=True))
    op.add_column("entries", sa.Column("corrected_at", sa.BigInteger(), nullable=True))
    op.add_column("entries", sa.Column("reason", sa.Text(), nullable=True))
