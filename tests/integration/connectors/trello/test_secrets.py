"""Key and token are nowhere to be read: neither in the log, nor in the database, nor in an error."""

import contextlib
import logging
import traceback

import pytest
from installation import Installation
from sqlalchemy import inspect, text

from isthmus.errors import IsthmusError
from isthmus.sync import Inbox


def dump(site: Installation) -> str:
    """Give every value of every row of the database as text."""
    names = inspect(site.hub.engine).get_table_names()
    with site.hub.engine.connect() as connection:
        rows = [row for name in names for row in connection.execute(text(f'SELECT * FROM "{name}"'))]
    return "\n".join(repr(tuple(row)) for row in rows)


def a_bad_day(site: Installation) -> list[str]:
    """Do everything that writes something, well and badly; gives what was told on the way."""
    told: list[str] = []
    site.connect(lists=2, cards=2)
    site.imports()
    cards = site.people.cards()
    place = site.place()
    for fault in ("wrong_type", "timeout_after", "reset_before", "server_error", "truncated"):
        site.trello.faults.next(fault, hold_s=0.05)
        site.write("project.task", site.ours()[0]["id"], name=f"After {fault}")
        with contextlib.suppress(IsthmusError):
            site.imports()
        told += site.jobs()
    site.create("project.task", name="  ", **place)
    site.create("project.task", name="Fine", description=f"<p>{'x' * 20_000}</p>", **place)
    site.people.update_card(cards[0], name="Theirs")
    site.write("project.task", site.ours()[0]["id"], name="Ours")
    site.people.delete_card(cards[1])
    site.imports(full=True)
    told += site.jobs()
    with site.hub.env() as env:
        backend = site.backend(env)
        told += [
            repr(backend),
            repr(backend.credentials),
            str(backend.credentials),
            f"{dict(backend.read(['name']))}",
        ]
        told += [repr(site.hub.settings), repr(env), backend.connect()]
        with backend.work_on("trello.card") as work:
            told += [repr(work.trello), repr(work), repr(vars(work))]
            told += [repr(work.component(usage="backend.adapter"))]
        told += [repr(Inbox(env).show(row["id"])) for row in Inbox(env).list(None)]
        backend.set_credentials({"token": "f" * 64})
    for step in (site.imports, lambda: _connect(site)):
        try:
            step()
        except IsthmusError as error:
            told += [str(error), repr(error), "".join(traceback.format_exception(error))]
    site.write("project.task", site.ours()[0]["id"], name="Refused")
    told += site.jobs()
    return told


def _connect(site: Installation) -> None:
    with site.hub.env() as env:
        site.backend(env).connect()


def test_no_secret_is_written_anywhere(site: Installation, caplog: pytest.LogCaptureFixture) -> None:
    """After a day on which everything goes wrong: log, tables, errors, representations."""
    caplog.set_level(logging.DEBUG)

    told = a_bad_day(site)

    secrets = [site.trello.key, site.trello.token, "f" * 64]
    log = "\n".join(f"{record.getMessage()} {record.__dict__}" for record in caplog.records)
    places = {"database": dump(site), "log": log, "told": "\n".join(told)}
    assert all(len(said) > 2_000 for said in places.values())
    assert [(name, secret) for name, said in places.items() for secret in secrets if secret in said] == []


def test_payloads_are_not_readable_in_the_database(site: Installation) -> None:
    """What is kept for people and for open effects is encrypted, since it may be personal."""
    (board,) = site.connect(lists=1)
    card = site.people.create_card(site.people.lists(board)[0], "x", desc="Jane Roe, born 1980")
    site.trello.world.card(card["id"]).name = ""

    site.imports()

    assert site.item()["payload"]["theirs"]["desc"] == "Jane Roe, born 1980"
    assert "Jane Roe" not in dump(site)


def test_credentials_may_be_kept_elsewhere(site: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    """By environment variable: only its name is stored, and it is read at each use."""
    site.connect()
    monkeypatch.setenv("UNIT_TRELLO_TOKEN", site.trello.token)
    with site.hub.env() as env:
        site.backend(env).set_credentials({"token": "env:UNIT_TRELLO_TOKEN"})

    assert site.imports().done["created"] == 3
