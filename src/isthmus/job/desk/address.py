"""Where a worker listens: for Prometheus, for hints of other systems."""

from typing import Final, NamedTuple, Self

from isthmus.errors import UsageError

_LARGEST_PORT: Final = 65_535


class Address(NamedTuple):
    """Where something is served over HTTP.

    Attributes:
        host: This machine only, unless another one is named: what is served tells names of lanes.
        port: 0 takes a free one.

    >>> Address.read("9100", "--metrics")
    Address(host='127.0.0.1', port=9100)
    >>> Address.read("0.0.0.0:9100", "--metrics").url, Address.read("[::1]:9100", "--metrics").url
    ('http://0.0.0.0:9100', 'http://[::1]:9100')
    """

    host: str = "127.0.0.1"
    port: int = 0

    @classmethod
    def read(cls, text: str, option: str) -> Self:
        """Read ``[HOST:]PORT``.

        Args:
            text: As it was written; a host with colons stands in brackets.
            option: What it was written for.

        Raises:
            UsageError: When it is none.
        """
        host, _, port = text.rpartition(":")
        if not port.isdecimal() or int(port) > _LARGEST_PORT or (":" in text and not host):
            raise UsageError(f"{option}: an address is written like 9100 or 127.0.0.1:9100, not {text!r}")
        host = host.removeprefix("[").removesuffix("]")
        return cls(host, int(port)) if host else cls(port=int(port))

    @property
    def url(self) -> str:
        """The beginning of every URL there."""
        return f"http://[{self.host}]:{self.port}" if ":" in self.host else f"http://{self.host}:{self.port}"

    def refused(self, option: str, exc: OSError) -> UsageError:
        """Make the error for an address that cannot be listened on, mostly because another does."""
        return UsageError(f"{option}: {self.host}:{self.port} cannot be listened on: {exc.strerror or exc}")


THIS_MACHINE: Final = Address()
"""A free port that only this machine reaches."""
