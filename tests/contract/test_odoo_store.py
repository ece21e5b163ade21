"""OdooStore keeps the store contract, over both protocols, and on a real Odoo where one is named."""

from contextlib import AbstractContextManager
from typing import Any

import pytest

from isthmus.env import Env
from isthmus.store.odoo import OdooStore
from isthmus.testing.envs import Envs
from isthmus.testing.store_contract import StoreContract


class TestOdooStore(StoreContract):
    @pytest.fixture(autouse=True)
    def _envs(self, odoo_store: OdooStore, hub_envs: Any) -> None:
        self.envs: Envs = hub_envs(odoo_store)

    def open_env(self, *, readonly: bool = False, **ctx: Any) -> AbstractContextManager[Env]:
        return self.envs.env(readonly=readonly, **ctx)
