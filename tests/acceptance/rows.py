"""All rows of an installation and all that Trello holds, with times, keys and attempts left out."""

from typing import Any, Final

from people import People
from sqlalchemy import create_engine, inspect, select

from isthmus.connectors.trello.marker import marker
from isthmus.simulators.trello import TrelloSimulator
from isthmus.store.sql import SqlModel

_BINDS: Final = {
    "isthmus_trello_board": "project_project",
    "isthmus_trello_list": "project_task_type",
    "isthmus_trello_card": "project_task",
}
_TABLE_OF: Final = {
    "trello.board": "project_project",
    "trello.list": "project_task_type",
    "trello.card": "project_task",
}
_MODEL_OF: Final = {
    "project_project": "project.project",
    "project_task_type": "project.task.type",
    "project_task": "project.task",
}
_FIELDS: Final = {
    "project.project": ["name", "active"],
    "project.task.type": ["name", "active", "project_ids"],
    "project.task": [
        "name", "description", "project_id", "stage_id", "sequence", "date_deadline", "active",
    ],
}  # fmt: skip
_POINTS_TO: Final = {
    "project_id": "project_project",
    "stage_id": "project_task_type",
    "project_ids": "project_project",
    "type_id": "project_task_type",
}
_LEFT_OUT: Final = frozenset({
    # times
    "create_date", "write_date", "sync_date", "at", "created_at", "started_at", "finished_at", "sent_at",
    "closed_at", "renewed_at", "resolved_at", "updated_at", "eta", "until", "lease_until",
    # keys and runs
    "id", "run_id", "job_id", "identity_key", "payload", "url", "token", "owner",
    # attempts
    "attempt", "retry", "rescues", "deferrals", "revision", "times",
    # encrypted anew each time
    "sealed_values", "sealed_payload", "sealed_credentials",
    # what the last of several attempts had to say
    "result", "reason",
})  # fmt: skip
_LEFT_OUT_THERE: Final = frozenset({
    "dateLastActivity", "dateLastView", "shortLink", "shortUrl", "url", "id", "idShort", "badges", "date",
    "idAttachmentCover",
})  # fmt: skip


def everything(url: str, trello: TrelloSimulator, odoo: People | None = None) -> dict[str, list[str]]:
    """Show all tables and Trello's whole state as sorted lines that do not depend on the run.

    Args:
        url: The hub's database.
        trello: Their side.
        odoo: Our side, where it is not in that database.
    """
    labels = _labels(trello)
    ours = {} if odoo is None else {table: _records(odoo, model) for table, model in _MODEL_OF.items()}
    shown = _tables(url, labels, ours)
    for kind, entries in trello.state.dump().items():
        shown[f"Trello's {kind}"] = sorted(repr(_there(entry, labels)) for entry in entries)
    return shown


def _labels(trello: TrelloSimulator) -> dict[str, str]:
    state = trello.state.dump()
    return {
        entry["id"]: f"{kind[:-1]} {entry['name']}" for kind, entries in state.items() for entry in entries
    }


def _there(value: Any, labels: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {k: _there(v, labels) for k, v in sorted(value.items()) if k not in _LEFT_OUT_THERE}
    if isinstance(value, list):
        return [_there(item, labels) for item in value]
    if isinstance(value, str) and value.startswith(marker("")):
        return "our marker"
    return _label(value, labels)


def _label(value: Any, labels: dict[str, str]) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)  # equal, but not alike to look at
    return labels.get(value, value) if isinstance(value, str) else value


def _records(odoo: People, model: str) -> list[dict[str, Any]]:
    found = [record.id for record in odoo[model].search([("active", "in", [True, False])])]
    return odoo[model].read(found, _FIELDS[model])


def _tables(url: str, labels: dict[str, str], ours: dict[str, list[dict[str, Any]]]) -> dict[str, list[str]]:
    engine = create_engine(url)
    with engine.connect() as connection:
        there = set(inspect(connection).get_table_names()) - {"isthmus_rate"} - ours.keys()
        rows = {
            table.name: [dict(r) for r in connection.execute(select(table)).mappings()]
            for table in SqlModel.metadata.sorted_tables
            if table.name.startswith(("isthmus_", "project_")) and table.name in there
        }
    engine.dispose()
    rows |= ours
    names = {t: {r["id"]: r["name"] for r in rows[t]} for t in _TABLE_OF.values()}
    bound = {t: {r["id"]: names[o].get(_number(r["record_id"])) for r in rows[t]} for t, o in _BINDS.items()}
    shown = {}
    for table, entries in rows.items():
        lines = [repr(_row(table, row, names, bound, labels)) for row in entries]
        # A write that had to be sent again has an effect for each time.
        shown[table] = sorted(set(lines) if table == "isthmus_effect" else lines)
    return shown


def _row(table: str, row: dict[str, Any], names: Any, bound: Any, labels: dict[str, str]) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for column, value in sorted(row.items()):
        if column in _LEFT_OUT:
            continue
        if column == "record_id" and table == "isthmus_job":
            binding = f"isthmus_{row['model'].replace('.', '_')}"
            shown[column] = bound.get(binding, {}).get(_number(value), value)
        elif column == "record_id":
            ours = _BINDS.get(table) or _TABLE_OF.get(row.get("model", ""), "")
            shown[column] = names.get(ours, {}).get(_number(value), value)
        else:
            shown[column] = _here(column, value, names, labels)
    if table == "isthmus_cursor" and str(row["stream"]).startswith(("ours", "home")):
        shown.pop("mark")  # times, keys and the address of a store
    if table == "isthmus_journal" and shown["operation"] == "adopt":
        shown["operation"] = "create"  # made before the crash, found after it
    return shown


def _here(name: str, value: Any, names: Any, labels: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {
            k: _here(name if k in {"before", "after"} else k, v, names, labels)
            for k, v in sorted(value.items())
        }
    if isinstance(value, list):
        return [_here(name, item, names, labels) for item in value]
    if name in _POINTS_TO and value is not None:
        return names[_POINTS_TO[name]].get(value, value)
    return _label(value, labels) if name != "@version" else None


def _number(text: Any) -> Any:
    return int(text) if isinstance(text, str) and text.isdecimal() else text
