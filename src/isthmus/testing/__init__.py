"""What tests of Isthmus, of connectors and of applications are written with."""

from isthmus.testing.clock import FrozenClock, SteppingClock
from isthmus.testing.databases import Databases
from isthmus.testing.probe import Probe

__all__ = ["Databases", "FrozenClock", "Probe", "SteppingClock"]
