"""What the queue is given that it cannot use: a clear error each, and nothing else is lost."""

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from isthmus.env import ModelExtension, Record
from isthmus.errors import (
    JobArgumentError,
    JobDefinitionError,
    OutsideError,
    ReadonlyError,
    SettingsError,
)
from isthmus.hub import Hub
from isthmus.job import State, group, job
from isthmus.job.table import JOBS
from isthmus.settings import JobSettings, Settings

NAME = "contract.queue.entry"
MISSING = "isthmus.errors.MissingRecordError"


class OddJobs(ModelExtension):
    """Jobs that get, read and return odd things."""

    _inherit = NAME

    @job
    def echo(self, value: Any = None) -> Any:
        """Write a row and give back what was given."""
        self.env[NAME].create({"text": "echo"})
        return value

    @job
    def read_text(self) -> str:
        """Read a record."""
        return str(self.text)  # type: ignore[attr-defined]

    @job
    def read_other(self, other: Record) -> str:
        """Write a row, then read another record."""
        self.env[NAME].create({"text": "never"})
        return str(other.text)  # type: ignore[attr-defined]

    @job
    def look(self) -> str:
        """Look whether a record is there before it is read."""
        return "there" if self.env[NAME].exists([self.id]) else "gone"  # type: ignore[attr-defined]

    @job
    def remove(self) -> None:
        """Remove a record."""
        self.unlink()  # type: ignore[attr-defined]

    @job(batch=10)
    def large(self, text: str, times: int = 1) -> str:
        """Write a row and give back much."""
        self.env[NAME].create({"text": text})
        return text * times


class FewerJobs(ModelExtension):
    """The same in a later version, with another parameter."""

    _inherit = NAME

    @job
    def echo(self, *, renamed: Any) -> Any:
        """Give back what was given."""
        return renamed


@pytest.fixture
def make(queue_url: str, program: Any) -> Iterator[Callable[..., Hub]]:
    """Makes hubs on one database, with these jobs and models."""
    hubs: list[Hub] = []

    def made(*extensions: Any, models: Any = None) -> Hub:
        settings = Settings(database_url=queue_url, plugins=(), models=(), job=JobSettings())
        known = {NAME: program.Entry} if models is None else models
        hubs.append(Hub(settings, plugins=[], models=known, extensions=list(extensions)))
        return hubs[-1]

    yield made
    for hub in hubs:
        hub.close()


@pytest.fixture
def hub(make: Callable[..., Hub]) -> Hub:
    """A hub with the jobs of these tests."""
    return make(OddJobs)


def put(hub: Hub, method: str, *args: Any, **options: Any) -> int:
    """Delay a call in a transaction of its own; gives the job's number."""
    with hub.env() as env:
        ref = getattr(env[NAME].with_delay(**options), method)(*args)
    return int(ref.id)


def told(hub: Hub, number: int) -> tuple[str, str | None, str | None]:
    """Tell how a job ended."""
    found = hub.queue.show(number)
    return found.state, found.error_type, found.error


def rows(hub: Hub) -> list[str]:
    """Read the rows that jobs have written."""
    with hub.env(readonly=True) as env:
        return [str(entry.text) for entry in env[NAME].search(order="id")]


class TestArguments:
    @pytest.mark.parametrize(
        ("value", "kind"),
        [(object(), "object"), (open, "builtin_function_or_method"), ([1, {2: len}], "builtin")],
    )
    def test_what_is_no_json_is_refused_when_it_is_delayed(self, hub: Hub, value: Any, kind: str) -> None:
        """
        The message names the argument and the type; a caller who goes on commits what else was delayed.
        """
        with hub.env() as env:
            env[NAME].with_delay().echo("before")
            with pytest.raises(
                JobArgumentError, match=f"argument 'value' of job {NAME}.echo cannot be stored: {kind}"
            ):
                env[NAME].with_delay().echo(value)
            env[NAME].with_delay().echo("after")

        assert hub.queue.run_pending() == 2
        assert {found.result for found in hub.queue.list()} == {'"before"', '"after"'}

    def test_one_bad_call_of_many_leaves_none_of_them(self, hub: Hub) -> None:
        """
        Of calls that are delayed with one statement, and of a graph, all are refused.
        """
        with hub.env() as env:
            with pytest.raises(JobArgumentError, match="argument 'value'"):
                env[NAME].with_delay().echo.map([(1,), (object(),), (3,)])
            with pytest.raises(JobArgumentError, match="argument 'value'"):
                group(env[NAME].delayable().echo(value) for value in (1, object())).delay()

        assert hub.queue.list() == []

    @pytest.mark.parametrize(
        "value", ["a\x00b", "\ud800", math.nan, -math.inf, "\u2028\\", {"$set": [1]}, ""]
    )
    def test_odd_values_go_there_and_back(self, hub: Hub, value: Any) -> None:
        """
        Characters that a database refuses, numbers that JSON has not, our own marks.
        """
        number = put(hub, "echo", value)

        hub.queue.run_pending()

        assert told(hub, number) == (State.DONE, None, None)
        assert hub.queue.show(number).result is not None

    def test_arguments_that_do_not_fit_are_refused_when_it_is_delayed(self, hub: Hub) -> None:
        """
        Python's own words say what is wrong.
        """
        with hub.env() as env, pytest.raises(JobArgumentError, match="cannot be called like this: too many"):
            env[NAME].with_delay().echo(1, 2)

        assert hub.queue.list() == []

    @pytest.mark.parametrize(
        ("payload", "message"),
        [
            ("", "the stored arguments cannot be read: JSONDecodeError"),
            ("[]", "the stored arguments cannot be read: TypeError"),
            ("{}", "the stored arguments cannot be read: KeyError: 'args'"),
            ('{"args":[{"$date":7}],"kwargs":{}}', "the stored arguments cannot be read: TypeError"),
            ('{"args":[{"$elephant":1}],"kwargs":{}}', "the unknown form '$elephant'"),
            ('{"args":[{"$record":["no.such.model","1"]}],"kwargs":{}}', "no.such.model"),
            (f'{{"args":[{{"$record":["{NAME}","x"]}}],"kwargs":{{}}}}', "x"),
        ],
    )
    def test_arguments_that_somebody_has_spoilt_fail_their_job_alone(
        self, hub: Hub, payload: str, message: str
    ) -> None:
        """
        The job fails with a message, and the next one is run.
        """
        spoilt, next_one = put(hub, "echo", 1), put(hub, "echo", 2)
        with hub.engine.begin() as connection:
            connection.execute(update(JOBS).where(JOBS.c.id == spoilt).values(payload=payload))

        hub.queue.run_pending()

        state, _, error = told(hub, spoilt)
        assert state == State.FAILED
        assert message in str(error)
        assert hub.queue.show(next_one).state == State.DONE

    def test_too_large_a_result_undoes_its_job_alone(self, hub: Hub) -> None:
        """
        Also in a batch: those that share the transaction are done.
        """
        with hub.env() as env:
            late = env[NAME].with_delay()
            numbers = [late.large("x", times).id for times in (1, 70_000, 2)]

        hub.queue.run_pending()

        state, kind, message = told(hub, numbers[1])
        assert (state, kind) == (State.FAILED, "isthmus.errors.JobArgumentError")
        assert f"the result of job {NAME}.large takes 70,002 bytes, at most 64,000 are possible" in str(
            message
        )
        assert [hub.queue.show(number).result for number in (numbers[0], numbers[2])] == ['"x"', '"xx"']
        assert rows(hub) == ["x", "x"]


class TestRecords:
    def test_a_job_that_reads_a_record_which_is_gone_fails(self, hub: Hub) -> None:
        """
        The message names the record; what the job wrote before it came to that is undone.
        """
        with hub.env() as env:
            # Not the last one: SQLite would give its number to the row that the job writes.
            kept, gone, _ = env[NAME].create([{"text": text} for text in ("kept", "gone", "kept too")])
            reads = gone.with_delay().read_text()
            is_given = kept.with_delay().read_other(gone)
            number = gone.id
        with hub.env() as env:
            env[NAME].browse(number).unlink()

        hub.queue.run_pending()

        message = f"{NAME}({number}) does not exist (any more)"
        assert told(hub, reads.id) == (State.FAILED, MISSING, message)
        assert told(hub, is_given.id) == (State.FAILED, MISSING, message)
        assert rows(hub) == ["kept", "kept too"]

    def test_a_job_that_removes_what_is_gone_fails(self, hub: Hub) -> None:
        """
        The second of two that want the same has nothing to do, and says so.
        """
        with hub.env() as env:
            gone = env[NAME].create({"text": "gone"})
            first, second = gone.with_delay().remove(), gone.with_delay().remove()
            number = gone.id

        hub.queue.run_pending()

        assert hub.queue.show(first.id).state == State.DONE
        assert told(hub, second.id) == (State.FAILED, MISSING, f"{NAME} {number} does not exist (any more)")

    def test_a_job_that_can_do_without_its_record_is_done(self, hub: Hub) -> None:
        """
        A record is not read before the method reads it, so the method decides.
        """
        with hub.env() as env:
            gone = env[NAME].create({"text": "gone"})
            ref = gone.with_delay().look()
            gone.unlink()

        hub.queue.run_pending()

        assert (hub.queue.show(ref.id).state, hub.queue.show(ref.id).result) == (State.DONE, '"gone"')


class TestCode:
    def test_a_job_whose_method_is_gone_can_be_run_by_a_program_that_has_it(
        self, hub: Hub, make: Callable[..., Hub]
    ) -> None:
        """
        It fails with a message, and a retry by hand runs it where the method is.
        """
        number = put(hub, "large", "x")
        make(FewerJobs).queue.run_pending()
        failed = told(hub, number)

        hub.queue.retry([number])
        hub.queue.run_pending()

        assert failed == (
            State.FAILED, "isthmus.errors.JobDefinitionError",
            f"model '{NAME}' has no job 'large'; known are ['echo']",
        )  # fmt: skip
        assert hub.queue.show(number).state == State.DONE

    def test_a_job_whose_model_is_gone_fails_with_its_name(self, hub: Hub, make: Callable[..., Hub]) -> None:
        """
        A disabled plugin's jobs are not lost.
        """
        number = put(hub, "echo", "x")

        make(models={}).queue.run_pending()

        state, kind, message = told(hub, number)
        assert (state, kind) == (State.FAILED, "isthmus.errors.UnknownModelError")
        assert NAME in str(message)

    def test_a_job_whose_parameters_have_changed_fails_with_python_s_words(
        self, hub: Hub, make: Callable[..., Hub]
    ) -> None:
        """
        The arguments are those of the day when it was delayed.
        """
        number = put(hub, "echo", "x")

        make(FewerJobs).queue.run_pending()

        state, kind, message = told(hub, number)
        assert (state, kind) == (State.FAILED, "TypeError")
        assert "positional argument" in str(message)


class TestChannels:
    def test_a_lane_that_nobody_has_named_is_run(self, hub: Hub) -> None:
        """
        Lanes need not be declared: a job in a lane nobody knew is run like any other.
        """
        number = put(hub, "echo", "x", channel="never.heard.of")

        hub.queue.run_pending()

        found = hub.queue.show(number)
        assert (found.channel, found.state) == ("root.never.heard.of", State.DONE)

    @pytest.mark.parametrize("name", ["", "a..b", ".a", "a b", "a.", 7, "root."])
    def test_a_malformed_lane_is_refused_when_a_job_is_delayed(self, hub: Hub, name: Any) -> None:
        """
        The message says where it was written, and what a name looks like.
        """
        expected = f"with_delay: a channel is named like root.trello.import, not {name!r}"
        with hub.env() as env, pytest.raises(JobDefinitionError) as caught:
            env[NAME].with_delay(channel=name).echo("x")

        assert str(caught.value) == expected
        assert hub.queue.list() == []

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ('[job.channels."a..b"]\ncapacity = 1', "a channel is named like root.trello.import, not 'a..b'"),
            ("[job.channels.a]\ncapacity = 0", "capacity 0 could mean two things: say paused"),
            ("[job.channels.a]\ncapacity = -1", "a capacity is a number from 1 to"),
            ("[job.channels.a]\nsequential = true\ncapacity = 2", "a sequential lane runs one job at a time"),
            ('[job.channels.a]\nthrottle = "soon"', "job.channels"),
            ("[job.channels.a]\ncapacitiy = 2", "capacitiy"),
        ],
    )
    def test_malformed_lanes_in_the_settings_stop_the_start(
        self, tmp_path: Path, text: str, message: str
    ) -> None:
        """
        The error names the file, the place in it and what is wrong.
        """
        file = tmp_path / "isthmus.toml"
        file.write_text(text)

        with pytest.raises(SettingsError) as caught:
            Settings.load(file)

        assert message in str(caught.value)
        assert "job.channels" in str(caught.value)


class TestTransactions:
    def test_nothing_is_delayed_outside_a_transaction(self, hub: Hub) -> None:
        """
        Inside env.outside() there is nothing that a job could belong to; before and after it there is.
        """
        with hub.env() as env:
            env[NAME].with_delay().echo("before")
            with env.outside():
                for delay in (
                    lambda: env[NAME].with_delay().echo("never"),
                    lambda: env[NAME].with_delay(identity_key="k").echo("never"),
                    lambda: env[NAME].with_delay().echo.map([("never",)]),
                    lambda: env[NAME].delayable().echo("never").delay(),
                    lambda: group(env[NAME].delayable().echo("never") for _ in "ab").delay(),
                ):
                    with pytest.raises(OutsideError, match=f"delay of {NAME}.echo: there is no transaction"):
                        delay()
            env[NAME].with_delay().echo("after")

        hub.queue.run_pending()

        assert {found.result for found in hub.queue.list()} == {'"before"', '"after"'}

    def test_a_readonly_env_delays_nothing(self, hub: Hub) -> None:
        """
        In whatever way.
        """
        with hub.env(readonly=True) as env:
            for delay in (
                lambda: env[NAME].with_delay().echo("never"),
                lambda: env[NAME].with_delay().echo.map([("never",)]),
                lambda: group(env[NAME].delayable().echo("never") for _ in "ab").delay(),
            ):
                with pytest.raises(ReadonlyError, match="this env is readonly"):
                    delay()

        assert hub.queue.list() == []
