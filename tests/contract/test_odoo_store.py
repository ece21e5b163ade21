"""OdooStore keeps the store contract, over both protocols, and on a real Odoo where one is named."""

from contextlib import AbstractContextManager
from typing import Any

import pytest

from isthmus.env import Env
from isthmus.store.odoo import OdooClient, OdooStore
from isthmus.testing.envs import Envs
from isthmus.testing.store_contract import StoreContract


class TestOdooStore(StoreContract):
    @pytest.fixture(autouse=True)
    def _envs(self, odoo_store: OdooStore, odoo_client: OdooClient, hub_envs: Any) -> None:
        self.envs: Envs = hub_envs(odoo_store)
        self.client = odoo_client

    def test_instants_go_in_and_out_aware(self, env: Env) -> None:
        """Whatever the zone, the same instant comes back, in UTC."""
        self._needs_instants()
        super().test_instants_go_in_and_out_aware(env)

    def test_instants_are_searched_to_the_second(self, env: Env) -> None:
        """Two within one minute are told apart."""
        self._needs_instants()
        super().test_instants_are_searched_to_the_second(env)

    def _needs_instants(self) -> None:
        if self.client.version.major < 17:
            pytest.skip("this Odoo keeps deadlines as days")

    def open_env(self, *, readonly: bool = False, **ctx: Any) -> AbstractContextManager[Env]:
        return self.envs.env(readonly=readonly, **ctx)
