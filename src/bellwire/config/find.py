"""Where the configuration and the ledger are, if nobody says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bellwire.errors import ConfigError, Fault

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bellwire.config.schema import Config

VARIABLE = "BELLWIRE_CONFIG"
FILE = "bellwire.yaml"
LEDGER = "bellwire.db"


def find_config(option: str | Path | None, environ: Mapping[str, str], cwd: Path) -> Path:
    """Return the configuration file: ``--config``, ``$BELLWIRE_CONFIG``, ``./bellwire.yaml``, the first that is given."""
    given = option or environ.get(VARIABLE)
    if given:
        return cwd / given
    path = cwd / FILE
    if path.exists():
        return path
    message = (
        f"there is no configuration: --config is not given, ${VARIABLE} is not set, and ./{FILE} does not exist; "
        "name a file by one of these, or copy config.example.yaml"
    )
    raise ConfigError([Fault(file=str(path), line=1, column=1, path="", message=message)])


def default_storage_url(config: Config, environ: Mapping[str, str], cwd: Path) -> str:
    """Return the ledger's address: as configured, else ``bellwire.db`` in ``$STATE_DIRECTORY`` or ``cwd``.

    The service manager may give several state directories, with colons between: the first is ours. What comes back may
    hold a password.
    """
    if config.storage.url:
        return config.storage.url.get_secret_value()
    state = environ.get("STATE_DIRECTORY", "").partition(":")[0]
    return f"sqlite:///{(Path(state) if state else cwd) / LEDGER}"
