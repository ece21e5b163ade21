"""The models of the simulator."""

from isthmus.simulators.odoo.models.registry import registry_for

__all__ = ["registry_for"]
