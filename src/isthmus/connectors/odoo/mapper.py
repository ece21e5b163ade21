"""How partners there translate into partners of ours, and back."""

from collections.abc import Mapping
from typing import Any, Final

from isthmus.errors import MappingError
from isthmus.mapping import ExportMapper, ImportMapper, external_to_m2o, m2o_to_external, mapping

_SAME: Final = ("name", "is_company", "email", "phone", "street", "city", "zip", "comment", "active")
"""Fields that are called the same on both sides and mean the same."""


class PartnerImportMapper(ImportMapper):
    """Partners."""

    _name = "odoo.partner.import.mapper"
    _inherit = "base.import.mapper"
    _collection = "odoo.backend"
    _apply_on = "odoo.partner"

    direct = [
        *((field, field) for field in _SAME),
        (external_to_m2o("parent_id", binding="odoo.partner"), "parent_id"),
    ]

    @mapping(reads=("country_code",), writes=("country_id",))
    def country(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Find our country of the same code.

        Raises:
            MappingError: When we have none.
        """
        code = payload["country_code"]
        if not code:
            return {"country_id": None}
        found = self.work.countries.id_of(code)
        if found is None:
            raise MappingError(f"we have no country with the code {code!r}: make one as res.country")
        return {"country_id": found}


class PartnerExportMapper(ExportMapper):
    """Partners."""

    _name = "odoo.partner.export.mapper"
    _inherit = "base.export.mapper"
    _collection = "odoo.backend"
    _apply_on = "odoo.partner"

    direct = [
        *((field, field) for field in _SAME),
        (m2o_to_external("parent_id", binding="odoo.partner"), "parent_id"),
    ]

    @mapping(reads=("country_id",), writes=("country_code",))
    def country(self, partner: Any) -> dict[str, Any]:
        """Give the code of the country.

        Raises:
            MappingError: When our country has none.
        """
        country = partner["country_id"]
        if country is None:
            return {"country_code": None}
        code = self.work.countries.code_of(country.id)
        if code is None:
            raise MappingError(f"res.country {country.id} has no code: the other side cannot know it")
        return {"country_code": code}
