"""``NAME=VALUE`` as people write it for a backend."""

from typing import Any

import pytest

from isthmus.cli.backend_values import read_changes, read_option
from isthmus.connectors.trello.models import TrelloBackend
from isthmus.errors import UsageError


def test_fields_options_and_credentials_are_told_apart() -> None:
    """
    One command line may set all three; credentials stay references.
    """
    change = read_changes(
        ["url=http://127.0.0.1:1", "boards=5a,5b", "token=env:TOKEN", "quiet_s=2"], TrelloBackend
    )

    assert change.fields == {"url": "http://127.0.0.1:1", "quiet_s": 2.0}
    assert change.options == {"boards": ["5a", "5b"]}
    assert change.credentials == {"token": "env:TOKEN"}
    assert change.names == ["url", "quiet_s", "boards", "token"]


def test_credentials_do_not_show_in_the_repr() -> None:
    """
    What ends up in a traceback holds no secret.
    """
    assert "s3cret" not in repr(read_changes(["token=s3cret"], TrelloBackend))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("baords=5a", r"no 'baords'; did you mean 'boards'\?"),
        ("boards", "'boards' needs a value: boards=VALUE"),
        ("boards=[5a", r"boards is a JSON list, and '\[5a' cannot be read"),
        ("export_domain=[]", r"export_domain is a JSON object, not '\[\]'"),
        ("export_domain=3", "export_domain is a JSON object, not '3'"),
        ("export_domain={", "export_domain is a JSON object, and '{' cannot be read"),
        ("active=perhaps", "active is true or false, not 'perhaps'"),
        ("quiet_s=soon", "quiet_s is a number from 0 on, not 'soon'"),
        ("quiet_s=nan", "quiet_s is a number from 0 on, not 'nan'"),
        ("lease_s=-1", "lease_s is a number from 0 on, not '-1'"),
        ("name= ", "a backend's name cannot be empty"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(text: str, message: str) -> None:
    """
    The sentence names what was set and what it should look like.
    """
    with pytest.raises(UsageError, match=message):
        read_changes([text], TrelloBackend)


@pytest.mark.parametrize(
    ("text", "default", "value"),
    [
        ("yes", False, True),
        ("3", 1, 3.0),
        ('["a,b"]', [], ["a,b"]),
        ("", [], []),
        ("", {}, {}),
        ('{"project.task": []}', {}, {"project.task": []}),
        ("delete", "archive", "delete"),
        ("", None, None),
    ],
)
def test_an_option_is_read_by_the_type_of_its_default(text: str, default: Any, value: Any) -> None:
    """
    A connector says by its defaults what its options hold.
    """
    assert read_option("option", text, default) == value
