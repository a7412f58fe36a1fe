"""Every error that Bellwire raises on purpose. One root; split by what the caller does next."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class BellwireError(Exception):
    """The root of Bellwire's own errors. Its text is for people and bears no secret."""


# --- configuration -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """One thing that is wrong in a configuration file: where, and what to do. ``line`` and ``column`` count from 1.

    ``excerpt`` is the rule that is wrong, where one is (of several lines the one), and ``offset`` how many characters into it.
    """

    file: str
    line: int
    column: int
    path: str
    message: str
    excerpt: str = ""
    offset: int = 0

    def shown(self) -> str:
        """Return what people read: the fault, and below it the rule with a caret under what is wrong."""
        return f"{self}\n    {self.excerpt}\n    {' ' * self.offset}^" if self.excerpt else str(self)

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}: "
        return f"{place}{self.path}: {self.message}" if self.path else f"{place}{self.message}"


class ConfigError(BellwireError):
    """The configuration cannot be used. ``faults`` names all that is wrong with it, in the order of the file."""

    def __init__(self, faults: list[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in faults))


class MatcherError(BellwireError):
    """A matcher cannot be read. ``offset`` counts characters from 0 within the text that was given."""

    def __init__(self, message: str, offset: int = 0) -> None:
        self.offset = offset
        super().__init__(message)


class TemplateError(BellwireError):
    """A template cannot be read, or could not be rendered.

    ``name`` is the template file's, empty for a text of the configuration; ``line`` and ``column`` count from 1 within it.
    """

    def __init__(self, message: str, *, name: str = "", line: int = 1, column: int = 1) -> None:
        self.name = name
        self.line = line
        self.column = column
        super().__init__(message)


class CrontabError(BellwireError):
    """A crontab expression cannot be read. ``offset`` counts characters from 0 within the text that was given."""

    def __init__(self, message: str, offset: int = 0) -> None:
        self.offset = offset
        super().__init__(message)


class IntervalError(BellwireError):
    """A part of a time interval cannot be read."""


# --- ledger --------------------------------------------------------------------------------------------------------


class LedgerError(BellwireError):
    """The ledger cannot be used."""


class LedgerInUseError(LedgerError):
    """Another process holds the ledger."""


class LedgerUnusableError(LedgerError):
    """The ledger's file is damaged, no ledger, or of a newer version: nothing in it was changed."""


class LedgerClosedError(LedgerError):
    """The ledger was closed while a call waited."""


# --- sources -------------------------------------------------------------------------------------------------------


class SourceError(BellwireError):
    """A call to a vendor did not succeed; try again later.

    ``reason`` is a constant word for metrics and logs; ``retry_after`` is in seconds, where the vendor named a time.
    """

    def __init__(self, message: str, *, reason: str, retry_after: float | None = None) -> None:
        self.reason = reason
        self.retry_after = retry_after
        super().__init__(message)


class UnauthorizedError(SourceError):
    """The vendor refuses the account's credentials (401, 403)."""


class RateLimitedError(SourceError):
    """The vendor asks for a pause of the whole account (429, or 503 with ``Retry-After``)."""


class StreamRefusedError(SourceError):
    """The stream cannot be had now though the vendor can be reached: poll meanwhile."""


class RejectedError(SourceError):
    """The vendor will not take this request, however often it is made (other 4xx).

    ``status`` is the HTTP status: 404 and 409 mean something to read marks.
    """

    def __init__(self, message: str, *, reason: str, status: int) -> None:
        self.status = status
        super().__init__(message, reason=reason)


# --- channels ------------------------------------------------------------------------------------------------------


class Verdict(enum.StrEnum):
    """What a failed attempt means for its delivery and its channel."""

    RETRY = "retry"  # transient: again later
    IN_DOUBT = "in_doubt"  # it may have arrived: resolve, then again
    MESSAGE_FAULT = "message_fault"  # this message will never be taken: dead
    CHANNEL_FAULT = "channel_fault"  # nothing will be taken until someone mends the channel: wait


class DeliveryError(BellwireError):
    """An attempt did not succeed.

    ``reason`` is a constant word for metrics (``http_503``, ``timeout``, ``smtp_550``, ``slack_invalid_auth``);
    ``retry_after`` is in seconds and holds for the whole channel.
    """

    def __init__(
        self,
        message: str,
        *,
        verdict: Verdict = Verdict.RETRY,
        reason: str,
        retry_after: float | None = None,
    ) -> None:
        self.verdict = verdict
        self.reason = reason
        self.retry_after = retry_after
        super().__init__(message)

    @property
    def permanent(self) -> bool:
        """True if this message will never be taken."""
        return self.verdict is Verdict.MESSAGE_FAULT
