"""Settings come from one file and the environment, and what is wrong is named with its place."""

from pathlib import Path

import pytest

from isthmus.errors import SettingsError
from isthmus.settings import Settings


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in an empty folder, so that no file of ours is read by chance."""
    monkeypatch.chdir(tmp_path)


def write(text: str) -> Path:
    """Write the settings file of the working directory."""
    path = Path("isthmus.toml")
    path.write_text(text)
    return path


def test_without_a_file_everything_has_a_default() -> None:
    """
    An empty folder is a working beginning.
    """
    settings = Settings.load()

    assert settings.database_url.get_secret_value() == "sqlite:///isthmus.db"
    assert (settings.page_size, settings.job.threads) == (500, 4)


def test_the_environment_wins_over_the_file_and_overrides_over_both(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """
    Nested settings are merged one by one.
    """
    write("page_size = 10\npoll_s = 5\n[job]\nthreads = 2\nlease_s = 7\n")
    monkeypatch.setenv("ISTHMUS_PAGE_SIZE", "20")
    monkeypatch.setenv("ISTHMUS_JOB__THREADS", "3")

    settings = Settings.load(poll_s=1)

    assert (settings.page_size, settings.poll_s) == (20, 1)
    assert (settings.job.threads, settings.job.lease_s) == (3, 7)


def test_relative_paths_are_relative_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The program may be started from anywhere.
    """
    path = write('database_url = "sqlite:///data.db"\nkey_file = "my.key"\n').resolve()
    monkeypatch.chdir("/")

    settings = Settings.load(path)

    assert settings.database_url.get_secret_value() == f"sqlite:///{tmp_path.resolve()}/data.db"
    assert settings.key_file == tmp_path.resolve() / "my.key"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "page_siez = 1",
            (
                "unknown setting 'page_siez' in isthmus.toml or the environment variable ISTHMUS_PAGE_SIEZ; "
                "did you mean 'page_size'?"
            ),
        ),
        (
            "page_size = 0",
            (
                "setting 'page_size' in isthmus.toml or the environment variable ISTHMUS_PAGE_SIZE is wrong: "
                "Input should be greater than or equal to 1"
            ),
        ),
        (
            "[job]\nthreads = 'many'",
            (
                "setting 'job.threads' in isthmus.toml or the environment variable ISTHMUS_JOB__THREADS "
                "is wrong: "
                "Input should be a valid integer, unable to parse string as an integer"
            ),
        ),
    ],
)
def test_a_wrong_setting_is_named_with_its_place(text: str, message: str) -> None:
    """
    In the file's terms and the environment's, with the near name.
    """
    write(text)

    with pytest.raises(SettingsError) as caught:
        Settings.load()

    assert str(caught.value) == message


def test_a_file_that_is_no_toml_is_told() -> None:
    """
    With the place of the mistake.
    """
    write("page_size = = 1")

    with pytest.raises(SettingsError, match=r"settings file isthmus\.toml cannot be read: .*line 1"):
        Settings.load()


def test_a_named_file_that_is_missing_is_told() -> None:
    """
    And how one is made.
    """
    with pytest.raises(SettingsError) as caught:
        Settings.load(Path("other.toml"))

    assert str(caught.value) == "settings file other.toml does not exist: run `isthmus init`"


def test_the_database_s_password_is_never_shown() -> None:
    """
    Neither in a repr nor in an error.
    """
    write('database_url = "postgresql://anna:s3cret@host/name"\npage_size = "s3cret"\n')

    with pytest.raises(SettingsError) as caught:
        Settings.load()

    assert "s3cret" not in str(caught.value)
    assert "s3cret" not in repr(Settings.load(page_size=1))
