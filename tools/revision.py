"""Write a migration revision from the difference between the mapped classes and the revisions so far.

``python tools/revision.py BRANCH "message"`` where BRANCH is ``isthmus``, a group of models or a
connector.
Read the result before committing it: a rename looks like a drop and an add.
"""

import sys
import tempfile
from pathlib import Path
from typing import Any

from alembic.autogenerate import produce_migrations, render_python_code
from alembic.migration import MigrationContext
from sqlalchemy import Table

from isthmus.hub import Hub
from isthmus.models import GROUPS
from isthmus.settings import Settings
from isthmus.store.sql import SqlModel
from isthmus.store.sql.migrate import BRANCH, VERSION_TABLE

ROOT = Path(__file__).parents[1] / "src" / "isthmus"
FOLDERS = {
    BRANCH: ROOT / "store" / "sql" / "migrations" / "versions",
    "partner": ROOT / "models" / "migrations" / "partner",
    "project": ROOT / "models" / "migrations" / "project",
    "odoo": ROOT / "connectors" / "odoo" / "migrations",
    "trello": ROOT / "connectors" / "trello" / "migrations",
}


def branch_of(table: str) -> str:
    """Tell which branch a table belongs to."""
    for connector in ("odoo", "trello"):
        if table.startswith(f"isthmus_{connector}_"):
            return connector
    if table.startswith("isthmus_"):
        return BRANCH
    return "partner" if table.startswith("res_") else "project"


def main(branch: str, message: str) -> None:
    """Write the next revision of a branch."""
    folder = FOLDERS[branch]
    existing = sorted(folder.glob("[0-9]*.py"))
    with tempfile.TemporaryDirectory() as scratch:
        models = [group for group in GROUPS if any(FOLDERS[group].glob("[0-9]*.py")) or group == branch]
        plugins = [
            name for name in ("odoo", "trello") if any(FOLDERS[name].glob("[0-9]*.py")) or name == branch
        ]
        hub = Hub(
            Settings.load(
                database_url=f"sqlite:///{scratch}/x.db", models=tuple(models), plugins=tuple(plugins)
            )
        )
        if any(any(f.glob("[0-9]*.py")) for f in FOLDERS.values()):
            hub.upgrade()

        def include(item: Any, name: str | None, kind: str, _reflected: bool, _compare: Any) -> bool:
            table = name if kind == "table" else item.table.name if not isinstance(item, Table) else name
            return branch_of(str(table)) == branch and table != VERSION_TABLE

        with hub.engine.connect() as connection:
            context = MigrationContext.configure(
                connection, opts={"include_object": include, "render_as_batch": False, "compare_type": True}
            )
            script = produce_migrations(context, SqlModel.metadata)
        hub.close()
    number = f"{len(existing) + 1:04d}"
    revision = f"{branch}_{number}"
    previous = f"{branch}_{len(existing):04d}" if existing else None
    up = render_python_code(script.upgrade_ops, render_as_batch=False, migration_context=context)
    down = render_python_code(script.downgrade_ops, render_as_batch=False, migration_context=context)
    text = f'''"""{message}."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = {revision!r}
down_revision = {previous!r}
branch_labels = {(branch,) if previous is None else None!r}
depends_on = None


def upgrade() -> None:
    """Bring the tables of this revision."""
    {up}


def downgrade() -> None:
    """Take them back."""
    {down}
'''
    text = text.replace("isthmus.store.sql.base.UtcDateTime(timezone=True)", "sa.DateTime(timezone=True)")
    text = text.replace("isthmus.store.sql.base.UtcDateTime()", "sa.DateTime(timezone=True)")
    text = text.replace("astext_type=Text()", "astext_type=sa.Text()")
    if "postgresql" not in text.split("def upgrade", 1)[1]:
        text = text.replace("from sqlalchemy.dialects import postgresql\n", "")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{number}_{message.split()[0].lower()}.py").write_text(text)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
