"""Alerts of the ledger, whole. The file is only read, which is safe beside a daemon."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bellwire.cli.printing import fail, plain

if TYPE_CHECKING:
    from bellwire.model import Alert, Decision


def stored_alert(url: str, reference: str) -> tuple[Alert, Decision]:
    """Return the one alert that is meant, and what was decided for it; else say why there is none, and exit 1."""
    from bellwire.errors import LedgerError  # noqa: PLC0415 - commands must start fast
    from bellwire.ledger.database import open_for_reading  # noqa: PLC0415
    from bellwire.ledger.history import whole_alert  # noqa: PLC0415
    from bellwire.ledger.reading import find_alerts  # noqa: PLC0415

    try:
        engine = open_for_reading(url)
    except LedgerError as error:
        fail(str(error))
    try:
        with engine.connect() as connection:
            ids = find_alerts(connection, reference, 2)
            found = whole_alert(connection, ids[0]) if len(ids) == 1 else None
    finally:
        engine.dispose()
    if not ids:
        fail(f"there is no alert {plain(reference)}: `bellwire alerts` lists the newest")
    if len(ids) > 1:
        fail(f"several accounts have an alert {plain(reference)}: name it by its own id, as `bellwire alerts` shows it")
    if found is None:
        fail(f"the content of {plain(reference)} is no longer kept (storage.retention)")
    return found
