"""Graphs: jobs that wait for each other."""
