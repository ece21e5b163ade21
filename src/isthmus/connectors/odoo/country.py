"""Countries of our side by their code, read once for a piece of work."""

from typing import Any


class Countries:
    """Translates between codes of countries and our own records of them.

    Args:
        env: The unit of work.
    """

    def __init__(self, env: Any) -> None:
        self._env = env
        self._by_code: dict[str, Any] | None = None

    def load(self) -> None:
        """Read them, unless that was done; our countries may lie in a store that can only be called."""
        if self._by_code is None:
            records = self._env["res.country"]
            found = records.read([r.id for r in records.search([])], ["code"])
            self._by_code = {str(row["code"]).upper(): row["id"] for row in found if row["code"]}

    def id_of(self, code: str) -> Any:
        """Give the key of our country with a code; None when we have none."""
        self.load()
        return (self._by_code or {}).get(code.upper())

    def code_of(self, record_id: Any) -> str | None:
        """Give the code of a country of ours; None when it has none."""
        self.load()
        return next((code for code, key in (self._by_code or {}).items() if key == record_id), None)
