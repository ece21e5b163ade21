"""``isthmus jobs``: many at a time, each with its reason, on a real hub."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, update

from isthmus.job.table import EDGES, JOBS, WORKERS

Folder = Any
"""See conftest."""

NOW = datetime.now(UTC)


@pytest.fixture
def write(synced: Folder) -> Any:
    """Writes jobs by hand; gives their numbers."""

    def write(count: int = 1, **values: Any) -> list[int]:
        row = {
            "model": "project.task", "method": "send", "payload": '{"args":[],"kwargs":{}}', "ctx": "{}",
            "user_name": "anna", "run_id": "r", "description": "Send", "created_at": NOW,
        }  # fmt: skip
        with synced.hub() as hub, hub.engine.begin() as connection:
            statement = insert(JOBS).returning(JOBS.c.id)
            return [
                int(connection.execute(statement.values(row | values)).scalar_one()) for _ in range(count)
            ]

    return write


def states(folder: Folder, *words: str) -> dict[int, str]:
    """List jobs as the command does."""
    found = folder.ok("jobs", "list", *words, "--limit", "5000", "--json").document["jobs"]
    return {job["id"]: job["state"] for job in found}


def test_jobs_are_listed_by_what_they_have_in_common(synced: Folder, write: Any) -> None:
    """
    Each option narrows the list, all together.
    """
    (mine,) = write(
        state="failed",
        channel="root.mail.out",
        error_type="isthmus.errors.RateLimitedError",
        created_at=NOW - timedelta(hours=3),
    )
    write(state="failed", channel="root.mailing")
    (new,) = write(method="other")

    assert list(states(synced, "--state", "failed", "--channel", "root.mail")) == [mine]
    assert list(states(synced, "--error-type", "RateLimitedError")) == [mine]
    assert list(states(synced, "--older-than", "2h", "--model", "project.task")) == [mine]
    assert list(states(synced, "--method", "other", "--newer-than", "1h")) == [new]
    assert list(states(synced, "--id", str(new), "--id", str(mine))) == [new, mine]


def test_jobs_of_a_backend_are_found_and_cancelled(synced: Folder, write: Any) -> None:
    """
    Those on its bindings, on itself, and those that it is given to.
    """
    with synced.hub() as hub, hub.env() as env:
        backend = env["trello.backend"].search([])[0]
        env["project.task"].search([], limit=1)[0].write({"name": "Other"})
        env["trello.card"].with_delay().import_record(backend, "5a")
    write(model="project.task")

    found = states(synced, "--backend", "trello")
    cancelled = synced.ok("jobs", "cancel", "--backend", "trello", "--yes", "--json").document
    unknown = synced.run("jobs", "list", "--backend", "trelo")

    assert len(found) == 2
    assert (cancelled["jobs"], cancelled["skipped"]) == (2, 0)
    assert sorted(states(synced).values()) == ["cancelled", "cancelled", "pending"]
    assert unknown.code != 0
    assert "there is no backend 'trelo'; did you mean 'trello'?" in unknown.err


def test_failed_jobs_run_again_in_bulk(synced: Folder, write: Any) -> None:
    """
    Only those that have failed, unless a state is named.
    """
    write(700, state="failed", channel="root.mail")
    (done,) = write(state="done", channel="root.mail")

    result = synced.ok("jobs", "retry", "--channel", "mail")
    nothing = synced.ok("jobs", "retry", "--channel", "mail")
    synced.ok("jobs", "retry", "--channel", "mail", "--state", "done")

    assert result.out == "700 jobs will run again\n"
    assert nothing.out == "nothing changed: no such job is failed\n"
    assert set(states(synced).values()) == {"pending"}
    assert states(synced)[done] == "pending"


@pytest.mark.parametrize("verb", ["retry", "cancel", "done"])
def test_nothing_is_changed_without_a_choice(synced: Folder, write: Any, verb: str) -> None:
    """
    A command without numbers and options says what it needs; numbers and options exclude each other.
    """
    (job,) = write(state="failed")

    none = synced.run("jobs", verb)
    both = synced.run("jobs", verb, str(job), "--channel", "root")

    sentence = (
        "isthmus: name the jobs by number, or choose them by options "
        "(such as --channel, --error-type or --all)\n"
    )
    assert (none.code, none.err, both.code, both.err) == (2, sentence, 2, sentence)
    assert states(synced) == {job: "failed"}


@pytest.mark.parametrize("verb", ["cancel", "done", "prune"])
def test_what_cannot_be_undone_needs_a_yes(synced: Folder, write: Any, verb: str) -> None:
    """
    Where nobody can be asked, --yes says it; the number of jobs is told first.
    """
    state = {"cancel": "pending", "done": "failed", "prune": "done"}[verb]
    write(2, state=state, finished_at=NOW)

    refused = synced.run("jobs", verb, "--all")
    done = synced.ok("jobs", verb, "--all", "--yes", "--json").document

    assert (refused.code, refused.err) == (
        2,
        "isthmus: --yes is missing: it says that you mean 2 jobs\n",
    )
    assert done["jobs"] == 2


def test_pruning_removes_what_has_ended(synced: Folder, write: Any) -> None:
    """
    Without options what the rules say; with them what is chosen, failed ones by name only.
    """
    write(state="done", finished_at=NOW - timedelta(days=90))
    (young,) = write(state="done", finished_at=NOW - timedelta(days=2))
    (failed,) = write(state="failed", finished_at=NOW - timedelta(days=90))
    (waiting,) = write()

    by_rule = synced.ok("jobs", "prune").out
    after = states(synced)
    none = synced.ok("jobs", "prune").out
    refused = synced.run("jobs", "prune", "--state", "pending")
    chosen = synced.ok("jobs", "prune", "--older-than", "1d", "--yes").out
    by_name = synced.ok("jobs", "prune", "--state", "failed", "--yes").out

    assert (by_rule, chosen, by_name) == ("1 job removed\n",) * 3
    assert none == "no job is older than its lane keeps it\n"
    assert set(after) == {young, failed, waiting}
    assert "--state: jobs that are pending may still run; cancel them first" in refused.err
    assert states(synced) == {waiting: "pending"}


def test_a_job_is_shown_with_its_graph_its_worker_and_its_record(synced: Folder, write: Any) -> None:
    """
    Everything that a person needs to understand it stands on one page.
    """
    with synced.hub() as hub, hub.env(readonly=True) as env:
        task = env["project.task"].search([], limit=1)[0]
        card = env["trello.card"].search([("record_id", "=", str(task.id))])[0].id
        title = task.name
    (parent,) = write(state="done", graph_id=1)
    with synced.hub() as hub, hub.engine.begin() as connection:
        worker = connection.execute(
            insert(WORKERS)
            .values(owner="far:7:x", host="far", pid=7, started_at=NOW, seen_at=NOW, lease_until=NOW)
            .returning(WORKERS.c.id)
        ).scalar_one()
    (job,) = write(
        state="started",
        graph_id=1,
        worker_id=worker,
        model="trello.card",
        record_id=str(card),
        method="export_record",
        payload='{"args":[["name"]],"kwargs":{}}',
    )
    children = write(2, state="wait_dependencies", graph_id=1, waits=1)
    with synced.hub() as hub, hub.engine.begin() as connection:
        connection.execute(insert(EDGES).values(parent_id=parent, child_id=job, on_state="was_done"))
        for child in children:
            connection.execute(insert(EDGES).values(parent_id=job, child_id=child, on_state="done"))

    shown = synced.ok("jobs", "show", str(job), "--json").document["job"]
    page = synced.ok("jobs", "show", str(job)).out

    assert shown["worker"] == "far:7"
    assert shown["arguments"] == {"args": [["name"]], "kwargs": {}}
    assert shown["graph"]["counts"] == {"wait_dependencies": 2, "started": 1, "done": 1}
    assert [one["id"] for one in shown["graph"]["parents"]] == [parent]
    assert [one["id"] for one in shown["graph"]["children"]] == children
    assert shown["related"] == {"name": f"trello.card {card} ({title})", "model": "trello.card", "id": card}
    assert "4 jobs: 2 wait dependencies, 1 started, 1 done" in page
    assert f"trello.card {card} ({title})" in page


def test_a_job_of_a_model_that_is_gone_is_shown_all_the_same(synced: Folder, write: Any) -> None:
    """
    What cannot be found says so in its place.
    """
    (job,) = write(model="no.such.model", record_id="1")

    shown = synced.ok("jobs", "show", str(job), "--json").document["job"]

    assert "no.such.model" in shown["related"]["error"]


def test_watching_once_tells_lanes_and_workers(synced: Folder, write: Any) -> None:
    """
    For scripts as one document, for people as tables.
    """
    write(2, channel="root.mail", created_at=NOW - timedelta(minutes=5))
    write(channel="root.mail", state="failed")

    found = synced.ok("jobs", "watch", "--once", "--json")
    page = synced.ok("jobs", "watch", "--once").out

    document = json.loads(found.out)
    (lane,) = document["lanes"]
    assert (lane["lane"], lane["waiting"], lane["failed"]) == ("root.mail", 2, 1)
    assert 290 < lane["oldest_s"] < 900
    assert "root.mail" in page
    assert "no worker is running: isthmus worker" in page


def test_status_says_why_nothing_runs(synced: Folder, write: Any) -> None:
    """
    In words, each with its remedy.
    """
    synced.ok("channel", "set", "root.mail", "--paused")
    write(2, channel="root.mail")
    with synced.hub() as hub, hub.engine.begin() as connection:
        connection.execute(
            insert(WORKERS).values(
                owner="far:7:x", host="far", pid=7, started_at=NOW, seen_at=datetime.now(UTC),
                lease_until=datetime.now(UTC) + timedelta(minutes=10),
            )
        )  # fmt: skip

    paused = synced.ok("status").out
    with synced.hub() as hub, hub.engine.begin() as connection:
        connection.execute(update(WORKERS).values(lease_until=NOW - timedelta(minutes=1)))
    told = synced.ok("status", "--json").document

    assert "! lane root.mail is paused, 2 jobs wait: isthmus channel set root.mail --no-paused" in paused
    assert "no worker is running" not in paused
    assert [problem["code"] for problem in told["stuck"]] == ["no_worker", "paused"]
    assert told["stuck"][1]["lane"] == "root.mail"
