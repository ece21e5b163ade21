"""Schedules: methods that are run by the clock."""
