"""A Trello server on loopback: real HTTP, stateful, with fault plans."""

from isthmus.simulators.trello.faults import Fault, FaultPlan, Faults, Kind
from isthmus.simulators.trello.people import People
from isthmus.simulators.trello.program import serve
from isthmus.simulators.trello.routes_others import NOT_SIMULATED
from isthmus.simulators.trello.simulator import TrelloSimulator
from isthmus.simulators.trello.webhooks import signature

__all__ = [
    "NOT_SIMULATED",
    "Fault",
    "FaultPlan",
    "Faults",
    "Kind",
    "People",
    "TrelloSimulator",
    "serve",
    "signature",
]
