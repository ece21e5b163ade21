"""``python -m isthmus.simulators.odoo``: see `serve`."""

import argparse

from isthmus.simulators.odoo.program import serve


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(
        prog="python -m isthmus.simulators.odoo", description="An Odoo server on loopback."
    )
    parser.add_argument("--odoo-version", default="18.0", help="such as 18.0 or saas~18.2")
    parser.add_argument("--database", default="odoo")
    parser.add_argument("--latency-s", type=float, default=0.0, help="how long each request takes at least")
    for name, default in (("port", 0), ("projects", 0), ("stages", 4), ("tasks", 25)):
        parser.add_argument(f"--{name}", type=int, default=default)
    serve(**vars(parser.parse_args()))


if __name__ == "__main__":
    main()
