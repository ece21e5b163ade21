"""The SQL store keeps the store contract, on both databases."""

from contextlib import AbstractContextManager
from typing import Any

import pytest

from isthmus.env import Env
from isthmus.testing.envs import Envs
from isthmus.testing.store_contract import StoreContract


class TestSqlStore(StoreContract):
    @pytest.fixture(autouse=True)
    def _envs(self, envs: Envs) -> None:
        self.envs = envs

    def open_env(self, *, readonly: bool = False, **ctx: Any) -> AbstractContextManager[Env]:
        return self.envs.env(readonly=readonly, **ctx)
