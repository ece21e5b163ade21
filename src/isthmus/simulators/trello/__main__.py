"""``python -m isthmus.simulators.trello``: see `serve`."""

import argparse

from isthmus.simulators.trello import serve


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(
        prog="python -m isthmus.simulators.trello", description="A Trello server on loopback."
    )
    for name, default in (("port", 0), ("seed", 0), ("boards", 0), ("lists", 4), ("cards", 25)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--limits", action="store_true", help="enforce the published rate limits")
    serve(**vars(parser.parse_args()))


if __name__ == "__main__":
    main()
