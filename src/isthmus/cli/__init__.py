"""The program ``isthmus``: a face of the hub, without SQL and without business rules."""

from isthmus.cli.program import main

__all__ = ["main"]
