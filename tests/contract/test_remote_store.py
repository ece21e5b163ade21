"""RemoteStore keeps the store contract, over remote databases of both kinds."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest

from isthmus.env import Env
from isthmus.testing.envs import Envs
from isthmus.testing.remote_server import RemoteServer
from isthmus.testing.remote_store import RemoteStore
from isthmus.testing.store_contract import StoreContract


class TestRemoteStore(StoreContract):
    @pytest.fixture
    def create_safety(self) -> str:
        return "none"

    @pytest.fixture(autouse=True)
    def _envs(self, server: RemoteServer, hub_envs: Any) -> Iterator[None]:
        with RemoteStore(server.url, server.records.store.models()) as store:
            self.envs: Envs = hub_envs(store)
            yield

    def open_env(self, *, readonly: bool = False, **ctx: Any) -> AbstractContextManager[Env]:
        return self.envs.env(readonly=readonly, **ctx)
