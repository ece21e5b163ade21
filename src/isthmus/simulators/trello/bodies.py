"""Reading the body of a request: form, JSON or multipart."""

import json
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import HTTP
from typing import Any
from urllib.parse import parse_qsl

from isthmus.simulators.trello.attachments import Upload
from isthmus.simulators.trello.refusals import RefusedError


def read_body(content_type: str, body: bytes) -> tuple[dict[str, Any], Upload | None]:
    """Read the parameters, and the file if there is one.

    Raises:
        RefusedError: When the body is not what its content type says.

    >>> read_body("application/x-www-form-urlencoded", b"name=A+card&desc=")
    ({'name': 'A card', 'desc': ''}, None)
    """
    kind = content_type.partition(";")[0].strip().lower()
    if not body.strip():
        return {}, None
    if kind == "multipart/form-data":
        return _read_multipart(content_type, body)
    if kind == "application/json":
        return _read_json(body), None
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True)), None
    except UnicodeDecodeError:
        raise RefusedError(400, "Invalid body") from None


def _read_json(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except ValueError:
        raise RefusedError(400, "Invalid JSON") from None
    if not isinstance(value, dict):
        raise RefusedError(400, "Invalid JSON")
    return value


def _read_multipart(content_type: str, body: bytes) -> tuple[dict[str, Any], Upload | None]:
    head = f"Content-Type: {content_type}\r\n\r\n".encode()
    message = message_from_bytes(head + body, _class=EmailMessage, policy=HTTP)
    values: dict[str, Any] = {}
    upload = None
    for part in message.iter_parts():
        content = part.get_payload(decode=True)
        data = content if isinstance(content, bytes) else b""
        name = part.get_param("name", header="content-disposition")
        filename = part.get_filename()
        if filename is not None:
            upload = Upload(filename=filename, content_type=part.get_content_type(), size=len(data))
        elif isinstance(name, str):
            values[name] = data.decode("utf-8", "replace")
    return values, upload
