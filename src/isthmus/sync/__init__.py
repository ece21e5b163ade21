"""Synchronizers: importers, exporters and deleters, in phases, with what they keep."""

import isthmus.sync.binding_jobs  # noqa: F401 - declares its jobs
import isthmus.sync.hint  # noqa: F401 - declares its jobs
import isthmus.sync.locker  # noqa: F401 - declares its component
import isthmus.sync.polling  # noqa: F401 - declares its schedules
from isthmus.sync.checkpoint import add_checkpoint
from isthmus.sync.cursor import CursorBook, NewestFirst
from isthmus.sync.deleter import Deleter
from isthmus.sync.effect import EffectLog, Intent
from isthmus.sync.exporter import BatchExporter, Exporter, RecordExporter
from isthmus.sync.importer import BatchImporter, Importer, RecordImporter
from isthmus.sync.inbox import Choice, Inbox
from isthmus.sync.item import Dependency, Item, Operation
from isthmus.sync.listener import ConnectorListener, ExportListener
from isthmus.sync.report import Report
from isthmus.sync.returning import tell_of_returns
from isthmus.sync.synchronizer import ConnectorComponent, Synchronizer
from isthmus.sync.table import (
    Checkpoint,
    CheckpointKind,
    CheckpointState,
    Cursor,
    Effect,
    EffectState,
    JournalEntry,
)

__all__ = [
    "BatchExporter",
    "BatchImporter",
    "Checkpoint",
    "CheckpointKind",
    "CheckpointState",
    "Choice",
    "ConnectorComponent",
    "ConnectorListener",
    "Cursor",
    "CursorBook",
    "Deleter",
    "Dependency",
    "Effect",
    "EffectLog",
    "EffectState",
    "ExportListener",
    "Exporter",
    "Importer",
    "Inbox",
    "Intent",
    "Item",
    "JournalEntry",
    "NewestFirst",
    "Operation",
    "RecordExporter",
    "RecordImporter",
    "Report",
    "Synchronizer",
    "add_checkpoint",
    "tell_of_returns",
]
