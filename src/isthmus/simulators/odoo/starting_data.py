"""What a new database has: companies, people, languages, countries, and what describes the models."""

from collections.abc import Iterable
from typing import Any

from isthmus.simulators.odoo import keys, orm
from isthmus.simulators.odoo.access import GROUP_NAMES, closure
from isthmus.simulators.odoo.environment import SUPERUSER, Environment

ADMIN = 2
_COUNTRIES = (
    (20, "Belgium", "BE", 32), (43, "Switzerland", "CH", 41), (57, "Germany", "DE", 49),
    (68, "Spain", "ES", 34), (75, "France", "FR", 33), (109, "Italy", "IT", 39), (155, "Mexico", "MX", 52),
    (165, "Netherlands", "NL", 31), (231, "United Kingdom", "GB", 44), (233, "United States", "US", 1),
)  # fmt: skip
_ADMIN_GROUPS = ("base.group_system", "base.group_partner_manager", "project.group_project_manager")


def fill(env: Environment) -> None:
    """Fill an empty database, as its superuser."""
    for xml_id, full_name in GROUP_NAMES.items():
        values = {"name": full_name.partition("/")[2], "full_name": full_name}
        group = orm.create(env, env.registry["res.groups"], [values])[0]
        row = env.rows("res.groups")[group] | {"xml_id": xml_id}
        env.database.put(env.transaction, "res.groups", group, row)
        name_record(env, xml_id, "res.groups", group)
    _languages_and_countries(env)
    company = _people(env)
    _describe_models(env)
    name_record(env, "base.main_company", "res.company", company)
    name_record(env, "base.user_admin", "res.users", ADMIN)
    name_record(env, "base.user_root", "res.users", SUPERUSER)
    if env.release.major >= 19:
        values = {"key": keys.PARAMETER, "value": "True"}
        orm.create(env, env.registry["ir.config_parameter"], [values])


def name_record(env: Environment, xml_id: str, model: str, record: int) -> None:
    """Give a record an external ID."""
    module, _, name = xml_id.partition(".")
    values = {"module": module, "name": name, "model": model, "res_id": record, "noupdate": True}
    orm.create(env, env.registry["ir.model.data"], [values])


def make_user(env: Environment, login: str, groups: Iterable[str], values: dict[str, Any]) -> int:
    """Create a user with groups, by their external names."""
    wanted = closure(groups)
    field = "group_ids" if env.release.major >= 19 else "groups_id"
    ids = [row["id"] for row in env.rows("res.groups").values() if row["xml_id"] in wanted]
    return orm.create(
        env, env.registry["res.users"], [{"login": login, "name": login} | values | {field: [[6, 0, ids]]}]
    )[0]


def _languages_and_countries(env: Environment) -> None:
    languages = (("en_US", "English (US)", True), ("de_DE", "German / Deutsch", False),
                 ("fr_FR", "French / Français", False))  # fmt: skip
    for code, name, active in languages:
        short = code[:2]
        values = {"name": name, "code": code, "iso_code": short, "url_code": short, "active": active}
        orm.create(env, env.registry["res.lang"], [values])
    table = env.table("res.country")
    for number, name, code, phone in _COUNTRIES:
        table.reserve(number - 1)
        values = {"name": name, "code": code, "phone_code": phone}
        country = orm.create(env, env.registry["res.country"], [values])[0]
        name_record(env, f"base.{code.lower()}", "res.country", country)


def _people(env: Environment) -> int:
    values = {"name": "My Company", "is_company": True}
    partner = orm.create(env, env.registry["res.partner"], [values])[0]
    company = env.table("res.company").next_id()
    row = {"id": company, "name": "My Company", "partner_id": partner, "sequence": 0, "active": True,
           "create_uid": SUPERUSER, "write_uid": SUPERUSER,
           "create_date": env.transaction.start, "write_date": env.transaction.start}  # fmt: skip
    env.database.put(env.transaction, "res.company", company, row)
    root = {"name": "OdooBot", "active": False, "company_id": company}
    make_user(env, "__system__", ["base.group_user"], root)
    admin = {
        "name": "Administrator",
        "password": "admin",
        "company_id": company,
        "email": "admin@example.com",
    }
    make_user(env, "admin", _ADMIN_GROUPS, admin)
    return company


def _describe_models(env: Environment) -> None:
    for model in env.registry.values():
        values = {"name": model.label, "model": model.name}
        described = orm.create(env, env.registry["ir.model"], [values])[0]
        orm.create(
            env,
            env.registry["ir.model.fields"],
            [
                {
                    "name": field.name,
                    "model": model.name,
                    "model_id": described,
                    "field_description": field.string,
                    "ttype": field.type,
                    "relation": field.relation or False,
                    "required": field.required,
                    "readonly": field.readonly,
                    "store": field.stored,
                }
                for field in model.fields.values()
            ],
        )
        name_record(env, f"base.model_{model.table}", "ir.model", described)
