"""Plugins: connectors found by entry point, enabled per database."""

from isthmus.plugin.plugin import GROUP, Plugin, find, installed

__all__ = ["GROUP", "Plugin", "find", "installed"]
