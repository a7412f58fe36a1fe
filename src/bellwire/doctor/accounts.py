"""Accounts: whether the vendor lets us in. It is asked for no more than a count, or one page of what is unread."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from bellwire.apis import APIS
from bellwire.apis.inbox import HttpInbox
from bellwire.doctor.diagnosis import Check, Diagnosis, failed, ok, warning
from bellwire.errors import RateLimitedError, RejectedError, SourceError, UnauthorizedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bellwire.config.schema import AccountConfig
    from bellwire.doctor.diagnosis import Patient

_REMEDIES = {
    "dns": "see whether base_url is written as the vendor has it, and whether this machine resolves names",
    "connect": "see whether base_url is right, and whether a firewall lets this machine out",
    "tls": "set http_config.tls_config.ca_file if the vendor's certificate is of an authority of your own",
    "proxy": "see http_config.proxy_url",
    "http_404": "see whether base_url has the right path",
}
_ELSE = "see whether base_url is that of this API, and the vendor's own status page"


def check_accounts(patient: Patient) -> Iterator[Check]:
    """Yield a check an account."""
    for account in patient.config.accounts:
        yield Check(name="account", subject=account.name, look=partial(_look, patient, account))


async def _look(patient: Patient, account: AccountConfig) -> list[Diagnosis]:
    inbox = HttpInbox(APIS[account.api](account), account, patient.pool, patient.clock)
    try:
        unread = await inbox.unread_count()
        if unread is None:
            page = await inbox.page()
            unread = page.total if page.total is not None else len(page.items)
    except UnauthorizedError as error:
        return [failed(str(error), "the credentials are wrong or have ended: make new ones at the vendor")]
    except RateLimitedError as error:
        return [warning(str(error), "the vendor asks for a pause; the login was not tried: try again later")]
    except (RejectedError, SourceError) as error:
        return [failed(str(error), _REMEDIES.get(error.reason, _ELSE))]
    paused = " (paused: nothing of it is fetched)" if account.paused else ""
    return [ok(f"let in; unread at the vendor: {unread}{paused}")]
