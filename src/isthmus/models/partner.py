"""Partners and countries, with Odoo's model and field names.

Source:
    Model and field names of Odoo 18, ``odoo/addons/base/models/res_partner.py`` and ``res_country.py``;
    `comment` is HTML there and here.
"""

from datetime import UTC, datetime

from sqlalchemy import ForeignKey, Text
from sqlalchemy.orm import Mapped, mapped_column

from isthmus.store.sql import SqlModel


def _now() -> datetime:
    return datetime.now(UTC)


class Country(SqlModel):
    """A country. Those of ISO 3166-1 are there from the beginning."""

    __tablename__ = "res_country"
    _name = "res.country"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    """English name."""
    code: Mapped[str] = mapped_column(unique=True)
    """Two capital letters."""


class Partner(SqlModel):
    """A company, a person, or an address of one."""

    __tablename__ = "res_partner"
    _name = "res.partner"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None]
    """Name; None only for a bare address of a parent."""
    is_company: Mapped[bool] = mapped_column(default=False)
    """True for a company, False for a person or address."""
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("res_partner.id"), index=True)
    """The company that it belongs to; None when it stands alone."""
    email: Mapped[str | None]
    """As it was typed."""
    phone: Mapped[str | None]
    """As it was typed."""
    street: Mapped[str | None]
    """Street and number."""
    city: Mapped[str | None]
    """City."""
    zip: Mapped[str | None]
    """Postal code."""
    country_id: Mapped[int | None] = mapped_column(ForeignKey("res_country.id"))
    """The country."""
    comment: Mapped[str | None] = mapped_column(Text, info={"field": "html"})
    """Notes, as HTML."""
    active: Mapped[bool] = mapped_column(default=True)
    """False when archived: left out of searches unless asked for."""
    create_date: Mapped[datetime] = mapped_column(default=_now)
    """When it was created."""
    write_date: Mapped[datetime] = mapped_column(default=_now, onupdate=_now)
    """When it was last written."""
