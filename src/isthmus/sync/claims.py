"""The leases of one piece of work: taken at transaction boundaries, given up in the last transaction."""

from collections.abc import Sequence
from typing import Any

from isthmus.env import Env, Grant


class Claims:
    """Leases on the records that a synchroniser works on.

    Args:
        env: The unit of work.
        backend: Whose lease time counts; read now, since no query may happen around a taking.
    """

    def __init__(self, env: Env, backend: Any) -> None:
        self._env = env
        self._lasting = backend.lease_time
        self._grants: list[Grant] = []

    @property
    def held(self) -> set[str]:
        """The keys that were granted so far."""
        return {key for grant in self._grants for key in grant.keys}

    def take(self, keys: Sequence[str]) -> frozenset[str]:
        """Claim by one statement of its own; gives the keys that another holds."""
        wanted = [k for k in keys if k not in self.held]
        if not wanted:
            return frozenset()
        self._env.external_call("take leases")
        grant = self._env.locks.take(wanted, lasting=self._lasting)
        self._grants.append(grant)
        return grant.refused

    def prolong(self) -> None:
        """Check and prolong, just before calls are made; legal outside only."""
        self._grants = [self._env.locks.prolong(grant, lasting=self._lasting) for grant in self._grants]

    def settle(self) -> None:
        """Check and give up inside the last transaction."""
        for grant in self._grants:
            self._env.locks.settle(self._env, grant)
        self._grants.clear()

    def release(self) -> None:
        """Give up after a failure; where the transaction has written, they end by time."""
        if self._grants and not self._env.transaction.written:
            self._env.external_call("release leases")
            for grant in self._grants:
                self._env.locks.release(grant)
            self._grants.clear()
