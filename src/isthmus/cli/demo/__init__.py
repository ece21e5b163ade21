"""``isthmus demo``: the main job before your eyes, on a database and a server of its own."""

from isthmus.cli.demo.program import add_to

__all__ = ["add_to"]
