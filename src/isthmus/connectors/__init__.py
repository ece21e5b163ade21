"""Connectors: each uses public doors only."""
