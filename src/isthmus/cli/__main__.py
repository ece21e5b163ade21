"""``python -m isthmus.cli``: the program, where no script is installed."""

from isthmus.cli import main

if __name__ == "__main__":
    main()
