"""``isthmus channel``: lanes are looked at and set from the command line."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert

from isthmus.job.lane.lanes import Closed, Entry, Lanes
from isthmus.job.moves import Times
from isthmus.job.table import JOBS


@pytest.fixture
def ready(folder: Any) -> Any:
    """A folder with a hub."""
    folder.ok("init")
    return folder


def add_job(folder: Any, channel: str, state: str = "pending") -> int:
    """Write a job's row."""
    row = {
        "model": "m", "method": "f", "payload": "{}", "ctx": "{}", "user_name": "", "run_id": "r",
        "description": "d", "created_at": datetime.now(UTC), "channel": channel, "state": state,
    }  # fmt: skip
    with folder.hub() as hub, hub.engine.begin() as connection:
        return int(connection.execute(insert(JOBS).values(**row)).inserted_primary_key[0])


def enter(folder: Any, *lanes: str) -> list[Entry | Closed]:
    """Enter lanes as a worker would."""
    with folder.hub() as hub, hub.engine.begin() as connection:
        made = Lanes(hub.engine, Times(hub.engine, hub.clock), hub.settings.job)
        made.refresh(connection)
        return [made.enter(connection, lane, 1, timedelta(seconds=60)) for lane in lanes]


class TestSet:
    def test_what_is_set_holds_for_workers(self, ready: Any) -> None:
        """
        Value by value; what is not named stays.
        """
        ready.ok("channel", "set", "trello", "--capacity", "2")

        shown = ready.ok("channel", "set", "root.trello", "--throttle", "1m", "--keep-done", "7d", "--json")

        channel = shown.document["channel"]
        assert (channel["capacity"], channel["throttle_s"], channel["keep_done_s"]) == (2, 60, 604_800)
        assert channel["sources"] == {"capacity": "set", "throttle_s": "set", "keep_done_s": "set"}
        entered, closed = enter(ready, "root.trello.cards", "root.trello")
        assert isinstance(entered, Entry)
        assert isinstance(closed, Closed)
        assert closed.reason == "throttled"

    def test_a_paused_lane_goes_on_when_it_is_told_to(self, ready: Any) -> None:
        """
        What it says now is why nothing begins.
        """
        paused = ready.ok("channel", "set", "root", "--paused")
        assert "root is paused" in paused.out
        assert isinstance(enter(ready, "root.trello")[0], Closed)

        ready.ok("channel", "set", "root", "--no-paused")

        assert isinstance(enter(ready, "root.trello")[0], Entry)

    def test_unlimited_wins_over_the_settings_until_reset(self, ready: Any) -> None:
        """
        Each value comes from where it says.
        """
        ready.set("ISTHMUS_JOB__CHANNELS", '{"root.trello": {"capacity": 3}}')
        unlimited = ready.ok("channel", "set", "root.trello", "--unlimited", "--json").document["channel"]

        reset = ready.ok("channel", "reset", "root.trello", "--json").document

        assert (unlimited["capacity"], unlimited["sources"]) == (None, {"capacity": "set"})
        assert reset["reset"] is True
        assert (reset["channel"]["capacity"], reset["channel"]["sources"]) == (3, {"capacity": "settings"})
        assert "nothing was set of root.trello" in ready.ok("channel", "reset", "trello").out

    def test_defaults_are_for_lanes_directly_below(self, ready: Any) -> None:
        """
        Where they come from is told.
        """
        ready.ok("channel", "set", "root.trello", "--default-capacity", "4", "--no-default-sequential")

        shown = ready.ok("channel", "show", "trello.cards")

        assert "4, 0 held (from root.trello)" in shown.out

    def test_an_unknown_lane_is_set_and_said(self, ready: Any) -> None:
        """
        With the near name; a lane is made by the first job in it.
        """
        add_job(ready, "root.trello")

        done = ready.ok("channel", "set", "root.trelo", "--capacity", "2")

        assert "! no job is in root.trelo so far; did you mean 'root.trello'?" in done.out
        assert ready.ok("channel", "set", "trello", "--paused", "--json").document["unknown_so_far"] is False

    @pytest.mark.parametrize(
        ("words", "code", "message"),
        [
            (["--capacity", "0"], 2, "--capacity 0 could mean two things: to stop say --paused"),
            (["--capacity", "two"], 2, "--capacity: a capacity is a number from 1 to 10000, or unlimited"),
            (["--capacity", "2", "--unlimited"], 2, "--capacity and --unlimited contradict each other"),
            (["--default-capacity", "-3"], 2, "--default-capacity: a capacity is a number from 1"),
            (["--throttle", "often"], 2, "--throttle: a length of time is seconds, or like 500ms"),
            (["--keep-done", "-1d"], 2, "--keep-done: a length of time is seconds, or like 500ms"),
            ([], 2, "name what to set, such as --capacity 2"),
            (["--sequential", "--capacity", "2"], 1, "root.trello cannot be sequential with capacity 2"),
        ],
    )
    def test_what_no_lane_can_have_is_refused(
        self, ready: Any, words: list[str], code: int, message: str
    ) -> None:
        """
        The option is named, and what to say instead; nothing is changed.
        """
        result = ready.run("channel", "set", "root.trello", *words)

        assert (result.code, message in result.err) == (code, True)
        assert ready.ok("channel", "show", "trello", "--json").document["channel"]["sources"] == {}

    @pytest.mark.parametrize("name", ["root..trello", "trello cards", ".", "root:2"])
    def test_a_malformed_name_is_refused(self, ready: Any, name: str) -> None:
        """
        By every command.
        """
        for words in (["set", name, "--paused"], ["show", name], ["reset", name]):
            result = ready.run("channel", *words)

            assert result.code == 1
            assert f"a channel is named like root.trello.import, not {name!r}" in result.err


class TestList:
    def test_lanes_in_use_and_lanes_with_rules_are_listed(self, ready: Any) -> None:
        """
        With their jobs, from the settings too.
        """
        ready.set("ISTHMUS_JOB__CHANNELS", '{"root.shop": {"capacity": 3}}')
        add_job(ready, "root.trello.cards")
        add_job(ready, "root.trello.cards", "failed")
        add_job(ready, "root.over", "done")

        channels = ready.ok("channel", "list", "--json").document["channels"]

        assert [channel["name"] for channel in channels] == ["root", "root.shop", "root.trello.cards"]
        cards = channels[2]
        assert (cards["waiting"], cards["running"], cards["failed"]) == (1, 0, 1)

    def test_why_nothing_begins_is_said_in_words(self, ready: Any) -> None:
        """
        Blocked by a failed job, full, paused.
        """
        ready.set("COLUMNS", "250")
        ready.ok("channel", "set", "root.orders", "--sequential")
        number = add_job(ready, "root.orders.new", "failed")
        ready.ok("channel", "set", "root.trello", "--capacity", "1")
        enter(ready, "root.trello")
        ready.ok("channel", "set", "root.shop", "--paused")

        told = ready.ok("channel", "list").out

        assert (
            f"root.orders is sequential and job {number} has failed: retry, cancel or set it to done" in told
        )
        assert "root.trello runs 1 at a time" in told
        assert "root.shop is paused" in told
