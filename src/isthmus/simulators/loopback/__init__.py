"""What simulators have in common: HTTP on loopback, faults, control routes, a log, deliveries."""

from isthmus.simulators.loopback.control import ControlRoutes
from isthmus.simulators.loopback.deliveries import Deliveries, send_out
from isthmus.simulators.loopback.faults import Fault, FaultDeck, FaultPlan
from isthmus.simulators.loopback.log import Log
from isthmus.simulators.loopback.message import Answer, Request, html_answer, json_answer, text_answer
from isthmus.simulators.loopback.server import Exchange, LoopbackServer, Manners
from isthmus.simulators.loopback.simulator import Simulator

__all__ = [
    "Answer",
    "ControlRoutes",
    "Deliveries",
    "Exchange",
    "Fault",
    "FaultDeck",
    "FaultPlan",
    "Log",
    "LoopbackServer",
    "Manners",
    "Request",
    "Simulator",
    "html_answer",
    "json_answer",
    "send_out",
    "text_answer",
]
