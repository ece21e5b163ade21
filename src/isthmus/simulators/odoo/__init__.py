"""An Odoo server on loopback: real HTTP over a small model layer, stateful, with fault plans."""

from isthmus.simulators.odoo.automation import Rule
from isthmus.simulators.odoo.calls import Calls, LoggedCall
from isthmus.simulators.odoo.errors import OdooError
from isthmus.simulators.odoo.faults import Fault, FaultPlan, Faults, Kind
from isthmus.simulators.odoo.person import Person
from isthmus.simulators.odoo.program import serve
from isthmus.simulators.odoo.release import Release
from isthmus.simulators.odoo.simulator import OdooSimulator
from isthmus.simulators.odoo.tables import Change
from isthmus.simulators.odoo.world import INTERNAL_USER, PORTAL_USER, PROJECT_USER, LongTransaction, OdooWorld

__all__ = [
    "INTERNAL_USER",
    "PORTAL_USER",
    "PROJECT_USER",
    "Calls",
    "Change",
    "Fault",
    "FaultPlan",
    "Faults",
    "Kind",
    "LoggedCall",
    "LongTransaction",
    "OdooError",
    "OdooSimulator",
    "OdooWorld",
    "Person",
    "Release",
    "Rule",
    "serve",
]
