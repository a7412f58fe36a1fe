"""E-mail: connection, TLS and login at each smarthost. No mail is begun."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import aiosmtplib

from bellwire.channels.email import connection, tls_of
from bellwire.channels.smtp_verdicts import Stage, of_exception, secrets_of_mail
from bellwire.doctor.diagnosis import Check, Diagnosis, failed, ok, warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bellwire.config.schema import EmailConfig
    from bellwire.doctor.diagnosis import Patient

_REMEDIES = {
    "smtp_535": "the name or password is wrong: see auth_username and auth_password_file",
    "smtp_534": "the provider wants another way to log in, such as a password for apps",
    "smtp_530": "the server wants a login: set auth_username and auth_password_file",
    "smtp_not_supported": "the server offers no STARTTLS or no login: see `tls` and the port of smarthost",
    "tls_error": "set http_config.tls_config.ca_file if the certificate is of an authority of your own, or see `tls`",
    "tls_files": "see http_config.tls_config",
    "dns_error": "see smarthost for a slip, and this machine's DNS",
    "connect_error": "see the port of smarthost, and whether a firewall lets this machine out",
}
_ELSE = "see smarthost and `tls`: 587 takes starttls, 465 implicit"


def check_email(patient: Patient) -> Iterator[Check]:
    """Yield a check a smarthost and login: recipients share them."""
    seen = set()
    for receiver in patient.config.receivers:
        for settings in receiver.email_configs:
            password = settings.auth_password.get_secret_value() if settings.auth_password else None
            login = (settings.smarthost, settings.tls, settings.auth_username, password, settings.http_config)
            if login not in seen:
                seen.add(login)
                subject = "/".join(part for part in (receiver.name, settings.name, settings.smarthost) if part)
                yield Check(name="email", subject=subject, look=partial(_look, settings))


async def _look(settings: EmailConfig) -> list[Diagnosis]:
    stage = Stage()
    try:
        client = connection(settings, tls_of(settings))
        stage.now = "connect"
        try:
            await client.connect()
        finally:
            client.close()
            await asyncio.sleep(0)  # the transport tells of its end in the loop's next turn
    except (aiosmtplib.SMTPException, OSError, ValueError) as error:
        failure = of_exception(error, stage, secrets_of_mail(settings))
        return [failed(str(failure), _REMEDIES.get(failure.reason, _ELSE))]
    secured = {"starttls": " by STARTTLS", "implicit": " by TLS", "none": ""}[settings.tls]
    logged_in = f", logged in as {settings.auth_username}" if settings.auth_username else ""
    found = [ok(f"connected{secured}{logged_in}")]
    if settings.tls == "none" and settings.auth_username:
        found.append(warning("the password goes there in the clear", "set tls: starttls or implicit"))
    return found
