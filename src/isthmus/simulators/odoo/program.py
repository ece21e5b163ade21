"""The simulator as a program: print where it is, serve until told to stop."""

from collections.abc import Callable

from isthmus.simulators.odoo.simulator import OdooSimulator


def serve(
    port: int = 0,
    *,
    odoo_version: str = "18.0",
    database: str = "odoo",
    projects: int = 0,
    stages: int = 4,
    tasks: int = 25,
    latency_s: float = 0.0,
    announce: Callable[[OdooSimulator], None] | None = None,
) -> None:
    """Serve until ``POST /_control/stop`` or an interrupt.

    Args:
        port: The port; 0 takes a free one.
        odoo_version: Which Odoo it is.
        database: Name of the database.
        projects: Demo projects to begin with.
        stages: Stages per demo project.
        tasks: Tasks per demo stage.
        latency_s: How long each request takes at least, in seconds.
        announce: Told when it listens; prints URL, database, login, password and a key when not given.
    """
    simulator = OdooSimulator(odoo_version, port=port, database=database, latency_s=latency_s)
    if projects:
        simulator.seed_demo(projects, stages, tasks)
    simulator.run(announce)
