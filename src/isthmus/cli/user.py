"""Who runs the program."""

import getpass
import os


def user_name() -> str:
    """Give the name of who runs this, for the journal."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        # A user ID without an account, as containers have.
        return str(os.getuid())
