"""Lanes: what may begin now, in all processes together."""
