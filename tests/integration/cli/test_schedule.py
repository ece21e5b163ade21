"""``isthmus schedule`` on a real hub."""

from typing import Any

from isthmus.simulators.trello import TrelloSimulator

Folder = Any
"""See conftest."""


def test_schedules_are_listed_with_their_times(connected: Folder) -> None:
    """
    Before the first worker nothing is due yet; the settings have the last word.
    """
    with (connected.path / "isthmus.toml").open("a") as file:
        file.write('full_walk = "0 4 * * SUN"\n[job.schedules]\n"trello.backend.poll" = "*/5 * * * *"\n')

    table = connected.ok("schedule", "list").out
    poll, walk = connected.ok("schedule", "list", "--json").document["schedules"]

    assert "*/5 * * * * (set)" in table
    assert (poll["name"], poll["overridden"], poll["next_at"]) == ("trello.backend.poll", True, None)
    assert (walk["name"], walk["spec"], walk["tz"]) == ("trello.backend.walk", "0 4 * * SUN", "UTC")


def test_a_schedule_is_run_once_by_hand(connected: Folder) -> None:
    """
    It makes a job for the backend, and refuses another one while that waits.
    """
    made = connected.ok("schedule", "run", "trello.backend.poll", "--json").document["jobs"]
    again = connected.run("schedule", "run", "trello.backend.poll")

    assert len(made) == 1
    assert connected.ok("jobs", "list", "--json").document["jobs"][0]["channel"] == "root.poll"
    assert again.code == 1
    assert again.err.endswith(f"trello.backend.poll is not begun again: its job {made[0]} has not ended\n")


def test_without_a_backend_there_is_nothing_to_run(ready: Folder) -> None:
    """
    That is said, and is no failure.
    """
    assert "there is nothing that it is about" in ready.ok("schedule", "run", "trello.backend.poll").out


def test_a_schedule_is_paused_and_resumed(connected: Folder) -> None:
    """
    The list shows it; the command to go on is told.
    """
    paused = connected.ok("schedule", "pause", "trello.backend.poll").out
    listed = connected.ok("schedule", "list").out
    resumed = connected.ok("schedule", "resume", "trello.backend.poll", "--json").document

    assert "isthmus schedule resume trello.backend.poll" in paused
    assert "paused" in listed
    assert resumed["paused"] is False
    assert connected.ok("schedule", "list", "--json").document["schedules"][0]["next_at"]


def test_an_unknown_schedule_names_the_near_one(ready: Folder) -> None:
    """
    The exit code is that of a failure.
    """
    result = ready.run("schedule", "pause", "trello.backend.pol")

    assert result.code == 1
    assert "did you mean 'trello.backend.poll'" in result.err


def test_a_malformed_schedule_stops_every_command(ready: Folder) -> None:
    """
    With the place and the exit code of wrong settings.
    """
    result = ready.run("status", ISTHMUS_JOB__SCHEDULES='{"trello.backend.poll": "each day"}')

    assert result.code == 3
    assert "setting 'job.schedules' for trello.backend.poll: 'each day' is no cron expression" in result.err


def test_a_walk_finds_a_deletion(synced: Folder, trello: TrelloSimulator) -> None:
    """
    The nightly walk, begun by hand, and run by a worker's queue: our task is archived.
    """
    trello.state.delete_card(trello.state.cards()[0])
    [job_id] = synced.ok("schedule", "run", "trello.backend.walk", "--json").document["jobs"]
    with synced.hub() as hub:
        hub.queue.run_pending()
        job = hub.queue.show(job_id)
        with hub.env(readonly=True) as env:
            archived = env["project.task"].search_count([("active", "=", False)])

    assert (str(job.state), job.error) == ("done", None)
    assert "1 archived" in str(job.result)
    assert archived == 1
    [walk] = [s for s in synced.ok("schedule", "list", "--json").document["schedules"] if "walk" in s["name"]]
    assert (walk["last_job_id"], walk["last_state"]) == (job_id, "done")
