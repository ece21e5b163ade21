"""The contract of adapters, held by partners of an Odoo over both protocols."""

from typing import Any, ClassVar

import pytest

from isthmus.connectors.odoo.adapter import OdooPartnerAdapter
from isthmus.testing.adapter_contract import AdapterContract


class TestPartners(AdapterContract):
    """Partners: creates carry our key, deletes delete."""

    marks: ClassVar[bool] = True

    @pytest.fixture(autouse=True)
    def _adapter(self, partners: OdooPartnerAdapter) -> None:
        self.adapter = partners

    def make_adapter(self) -> OdooPartnerAdapter:
        return self.adapter

    def make_values(self, number: int) -> dict[str, Any]:
        return {
            "name": f"contract {number}", "is_company": True, "parent_id": None, "active": True,
            "email": f"{number}@example.org", "city": "Gent", "country_code": "BE",
            "comment": "<p>A <b>note</b></p>",
        }  # fmt: skip

    def changed_values(self) -> dict[str, Any]:
        return {"name": "contract changed", "country_code": None, "active": False}

    def filters(self) -> dict[str, Any]:
        return {"domain": [["name", "like", "contract"]]}
