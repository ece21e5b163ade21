"""Which rule holds for a lane, and how settings of lanes are read."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from isthmus.errors import SettingsError
from isthmus.job.lane.rules import UNLIMITED, Rule, Rules, Wishes
from isthmus.settings import JobSettings, Settings


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in an empty folder, so that no file of ours is read by chance."""
    monkeypatch.chdir(tmp_path)


def rules(set_now: dict[str, Wishes] | None = None, **channels: dict[str, Any]) -> Rules:
    """Make rules; in names of lanes of the settings, "_" stands for the dot."""
    named = {name.replace("_", "."): given for name, given in channels.items()}
    return Rules(JobSettings(channels=named), set_now or {})


class TestRules:
    def test_without_any_there_is_no_limit(self) -> None:
        """
        And ended jobs are kept for thirty days.
        """
        assert rules().rule("root.trello") == Rule(None, False, False, None, timedelta(days=30))

    def test_run_time_wins_over_settings_value_by_value(self) -> None:
        """
        What is not set at run time comes from the settings still.
        """
        found = rules({"root.trello": Wishes(capacity=5)}, trello={"capacity": 2, "throttle": "1s"})

        rule = found.rule("root.trello")

        assert (rule.capacity, rule.throttle) == (5, timedelta(seconds=1))
        assert (found.source("root.trello", "capacity"), found.source("root.trello", "throttle_s")) == (
            "set",
            "settings",
        )

    def test_settings_win_over_the_parent_s_defaults(self) -> None:
        """
        Defaults are for lanes directly below, wherever the parent's come from.
        """
        found = rules(
            {"root.shop": Wishes(default_capacity=7)},
            root_trello={"default_capacity": 3, "default_sequential": False},
            root_trello_cards={"capacity": 1},
        )

        assert found.rule("root.trello").capacity is None
        assert found.rule("root.trello.cards").capacity == 1
        assert found.rule("root.trello.lists").capacity == 3
        assert found.rule("root.trello.lists.new").capacity is None
        assert found.rule("root.shop.orders").capacity == 7
        assert found.source("root.trello.lists", "capacity") == "root.trello"

    def test_unlimited_is_said_where_something_else_limits(self) -> None:
        """
        At run time over the settings, in the settings over the parent's default.
        """
        found = rules(
            {"root.trello": Wishes(capacity=UNLIMITED)},
            root={"default_capacity": 1},
            trello={"capacity": 2},
            shop={"capacity": "unlimited"},
        )

        assert found.rule("root.trello").capacity is None
        assert found.rule("root.shop").capacity is None
        assert found.rule("root.other").capacity == 1

    def test_a_sequential_lane_has_capacity_1(self) -> None:
        """
        Also when it is sequential by its parent's default.
        """
        found = rules(root_trello={"default_sequential": True, "default_capacity": 4})

        assert found.rule("root.trello.cards").capacity == 1
        assert found.bounds("root.trello.cards").sequential == ("root.trello.cards",)

    def test_ended_jobs_are_kept_as_the_nearest_lane_says(self) -> None:
        """
        The lane, one above, or the setting of all.
        """
        found = Rules(
            JobSettings(keep_done="10d", channels={"a": {"keep_done": "5d"}, "a.b.c": {"keep_done": 60}}), {}
        )

        kept = [found.rule(lane).keep_done for lane in ("root.x", "root.a.b", "root.a.b.c")]

        assert kept == [timedelta(days=10), timedelta(days=5), timedelta(minutes=1)]

    def test_a_job_passes_the_rules_of_its_lane_and_of_all_above(self) -> None:
        """
        From the lane upwards.
        """
        found = rules(
            root={"capacity": 9},
            trello={"throttle": 1},
            trello_cards={"capacity": 2, "throttle": 0},
        )

        bounds = found.bounds("root.trello.cards")

        assert bounds.slots == (("root.trello.cards", 2), ("root", 9))
        assert bounds.throttles == (("root.trello", timedelta(seconds=1)),)


class TestSettings:
    def test_lanes_are_tables_of_the_file(self) -> None:
        """
        With or without the prefix; the environment wins value by value.
        """
        trello = '[job.channels."root.trello"]\ncapacity = 2\nthrottle = "500ms"\n'
        Path("isthmus.toml").write_text(f"{trello}[job.channels.shop]\npaused = true\n")

        channels = Settings.load().job.channels

        assert sorted(channels) == ["root.shop", "root.trello"]
        assert (channels["root.trello"].capacity, channels["root.trello"].throttle) == (2, 0.5)

    def test_the_environment_has_them_as_json(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        It wins value by value.
        """
        Path("isthmus.toml").write_text('[job.channels."root.trello"]\ncapacity = 2\nthrottle = 1\n')
        monkeypatch.setenv("ISTHMUS_JOB__CHANNELS", '{"root.trello": {"capacity": 3}}')

        channel = Settings.load().job.channels["root.trello"]

        assert (channel.capacity, channel.throttle) == (3, 1)

    @pytest.mark.parametrize(
        ("given", "length_s"),
        [
            (2, 2),
            (0.25, 0.25),
            (1e-5, 1e-5),
            ("3", 3),
            ("500ms", 0.5),
            ("1.5m", 90),
            ("2 h", 7_200),
            ("30d", 2_592_000),
        ],
    )
    def test_times_are_seconds_or_have_a_unit(self, given: Any, length_s: float) -> None:
        """
        As numbers or text.
        """
        assert Settings.load(job={"channels": {"a": {"throttle": given}}}).job.channels[
            "root.a"
        ].throttle == (pytest.approx(length_s))

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("capacity = 0", "setting {capacity} is wrong: capacity 0 could mean two things"),
            ("capcity = 1", "unknown setting {capcity}; did you mean 'capacity' or 'default_capacity'?"),
        ],
    )
    def test_a_wrong_value_is_named_with_its_place(self, text: str, message: str) -> None:
        """
        The lane and the setting, in the file's terms.
        """
        Path("isthmus.toml").write_text(f'[job.channels."root.trello"]\n{text}')
        where = " in isthmus.toml or the environment variable ISTHMUS_JOB__CHANNELS"
        expected = re.sub(r"\{(\w+)\}", rf"""'job.channels."root.trello".\1'{where}""", message)

        with pytest.raises(SettingsError) as caught:
            Settings.load()

        assert str(caught.value).startswith(expected)

    @pytest.mark.parametrize(
        ("channels", "message"),
        [
            (
                {"root.trello": {"capacity": -1}},
                "a capacity is a number from 1 to 10000, or unlimited; not -1",
            ),
            ({"root.trello": {"capacity": True}}, "or unlimited; not True"),
            (
                {"root.trello": {"capacity": 2, "sequential": True}},
                "a sequential lane runs one job at a time",
            ),
            ({"root.trello": {"throttle": "1 week"}}, "or like 500ms, 1s, 15m, 2h, 30d; not '1 week'"),
            ({"root.trello": {"throttle": -1}}, "not -1"),
            ({"root.trello": 2}, 'root.trello is a table: [job.channels."root.trello"]'),
            ({"root": {"trello": {"capacity": 2}}}, 'put the name in quotes: [job.channels."root.trello"]'),
            ({"root..trello": {}}, "a channel is named like root.trello.import, not 'root..trello'"),
            ({"trello": {}, "root.trello": {}}, "root.trello is there twice"),
            ("root:4,trello:2:sequential", 'lanes are tables, such as [job.channels."root.trello"]'),
        ],
    )
    def test_what_no_lane_can_have_is_refused(self, channels: Any, message: str) -> None:
        """
        In a sentence that says what to write instead.
        """
        with pytest.raises(SettingsError, match=re.escape(message)):
            Settings.load(job={"channels": channels})

    def test_the_older_text_form_is_answered_with_the_new_one(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """
        Lanes in one text with colons are not read.
        """
        monkeypatch.setenv("ISTHMUS_JOB__CHANNELS", "root:4,trello:2:throttle=1")

        with pytest.raises(SettingsError) as caught:
            Settings.load()

        assert str(caught.value).endswith('is JSON, such as {"root.trello": {"capacity": 2}}')
