"""Who calls a command, as it is kept with what the command changes."""

from __future__ import annotations

import getpass
import os


def login() -> str:
    """Return the name of whoever is logged in, behind `sudo` too. It is what they say: a daemon cannot check it."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError):  # nobody has this number
        return "someone at the command line"
    behind = os.environ.get("SUDO_USER", "")
    return f"{behind} (as {name})" if behind and behind != name else name


def on_file() -> str:
    """Return how someone comes in who writes the ledger's file: what the machine let them be."""
    return f"the ledger's file, as user {os.getuid()}"
