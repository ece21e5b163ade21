"""Real HTTP servers on loopback that stand for external systems, with fault plans."""
