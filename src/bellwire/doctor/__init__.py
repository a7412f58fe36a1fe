"""Trying everything that a configuration names, without sending anything: one small file a kind of check."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bellwire.doctor.accounts import check_accounts
from bellwire.doctor.apprise import check_apprise
from bellwire.doctor.clocks import check_clock
from bellwire.doctor.email import check_email
from bellwire.doctor.files import check_files
from bellwire.doctor.process import check_process
from bellwire.doctor.slack import check_slack
from bellwire.doctor.storage import check_storage
from bellwire.doctor.watch import check_watch
from bellwire.doctor.webhook import check_webhooks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from bellwire.doctor.diagnosis import Check, Patient

CHECKS: dict[str, Callable[[Patient], Iterable[Check]]] = {
    "accounts": check_accounts,
    "slack": check_slack,
    "email": check_email,
    "webhook": check_webhooks,
    "apprise": check_apprise,
    "clock": check_clock,
    "ledger": check_storage,
    "files": check_files,
    "process": check_process,
    "watch": check_watch,
}
"""What yields checks, in the order in which their findings are shown."""
