"""Bindings: which record of ours is which record there, and what both looked like last."""

from isthmus.binding.binder import PLANNED, Binder, external_key, forget_bindings
from isthmus.binding.model import Binding, BindingModel, BindingRecord, BindingState
from isthmus.binding.table import BindingRow, BindingTable, Image

__all__ = [
    "PLANNED",
    "Binder",
    "Binding",
    "BindingModel",
    "BindingRecord",
    "BindingRow",
    "BindingState",
    "BindingTable",
    "Image",
    "external_key",
    "forget_bindings",
]
