"""How a command begins: with the configuration, or with every fault of it on standard error and exit code 78."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from bellwire.config.schema import Config

BAD_CONFIGURATION = 78  # EX_CONFIG of sysexits.h


def configured(option: str | None) -> tuple[Config, str]:
    """Return the configuration and the ledger's address; exit 78 if there is none, or none that can be used."""
    from bellwire.config.find import default_storage_url  # noqa: PLC0415 - commands must start fast
    from bellwire.errors import ConfigError  # noqa: PLC0415

    try:
        config = reread(option)
    except ConfigError as error:
        for fault in error.faults:
            click.echo(str(fault), err=True)
        sys.exit(BAD_CONFIGURATION)
    return config, default_storage_url(config, os.environ, Path())


def reread(option: str | None) -> Config:
    """Return the configuration as it is now. Raises `ConfigError`."""
    from bellwire.config.find import find_config  # noqa: PLC0415 - commands must start fast
    from bellwire.config.load import load  # noqa: PLC0415

    return load(find_config(option, os.environ, Path()), os.environ)
