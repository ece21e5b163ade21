"""Synchronizers: importers, exporters and deleters, in phases, with what they keep."""

import isthmus.sync.table  # noqa: F401 - declares the tables
