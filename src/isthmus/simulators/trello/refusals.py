"""How the simulated server says no."""


class RefusedError(Exception):
    """A request that the server answers with an error, as plain text like the real one.

    Attributes:
        status: The HTTP status.
        message: The body, without a line end.
    """

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        self.message = message
        super().__init__(f"{status} {message}")


class InvalidValueError(RefusedError):
    """The 400 that names a parameter.

    >>> InvalidValueError("idList").message
    'invalid value for idList'
    """

    def __init__(self, name: str) -> None:
        super().__init__(400, f"invalid value for {name}")


class NotFoundError(RefusedError):
    """The 404 for anything that does not exist."""

    def __init__(self) -> None:
        super().__init__(404, "The requested resource was not found.")
