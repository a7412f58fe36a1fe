"""How a command begins: with the configuration, or with every fault of it on standard error and exit code 78.

Often only the daemon has the secrets of accounts and receivers: files that it alone may read (systemd's credentials), or
variables of its environment alone. A command says which secrets it cannot do without, and is not kept from its work by
others.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import NoReturn

    from bellwire.config.places import Loc
    from bellwire.config.schema import Config
    from bellwire.errors import ConfigError, Fault

BAD_CONFIGURATION = 78  # EX_CONFIG of sysexits.h

NO_SECRETS: frozenset[Loc] = frozenset()
"""What a command needs that looks at rules only: the ledger's address that it is given is none."""
TO_READ: frozenset[Loc] = frozenset({("storage", "url")})
"""What a command needs that reads the ledger itself."""
TO_ASK: frozenset[Loc] = TO_READ | {("web", "token")}
"""What a command needs that asks the daemon, or the ledger."""

_REMEDIES = {
    "web.token": "BELLWIRE__WEB__TOKEN",
    "storage.url": "BELLWIRE__STORAGE__URL",
}
_FILE = "_file"


def configured(option: str | None, needed: Collection[Loc] | None = None) -> tuple[Config, str]:
    """Return the configuration and the ledger's address; exit 78 if there is none, or none that can be used.

    ``needed`` are the secrets without which the command cannot do; None: all of them.
    """
    from bellwire.config.find import default_storage_url  # noqa: PLC0415 - commands must start fast
    from bellwire.errors import ConfigError  # noqa: PLC0415

    try:
        config = reread(option, needed)
    except ConfigError as error:
        unusable(error)
    return config, default_storage_url(config, os.environ, Path())


def unusable(error: ConfigError) -> NoReturn:
    """Say every fault of the configuration, and exit 78."""
    for fault in error.faults:
        click.echo(fault.shown(), err=True)
        if remedy := _remedy(fault):
            click.echo(f"  {remedy}", err=True)
    sys.exit(BAD_CONFIGURATION)


def _remedy(fault: Fault) -> str | None:
    """Return what helps where the daemon has a secret that whoever calls has not; None where that is not the fault."""
    variable = _REMEDIES.get(fault.path.removesuffix(_FILE))
    if variable is None or fault.file == f"${variable}":
        return None
    if not fault.path.endswith(_FILE):
        return f"if the daemon alone has it in its environment, set it here too, or set ${variable}"
    if "CREDENTIALS_DIRECTORY" in os.environ:
        return None
    return (
        f"if it is a credential of the daemon's, call this command by `sudo env CREDENTIALS_DIRECTORY="
        f"/run/credentials/bellwire.service` or `systemd-run --property=LoadCredential=...`, or set ${variable}"
    )


def reread(option: str | None, needed: Collection[Loc] | None = None) -> Config:
    """Return the configuration as it is now. Raises `ConfigError`."""
    from bellwire.config.find import find_config  # noqa: PLC0415 - commands must start fast
    from bellwire.config.load import load  # noqa: PLC0415

    return load(find_config(option, os.environ, Path()), os.environ, needed)
