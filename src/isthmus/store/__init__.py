"""Stores: where records of our side live."""
