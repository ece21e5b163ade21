"""Two-way connectors between business systems, crash-safe and explainable."""
