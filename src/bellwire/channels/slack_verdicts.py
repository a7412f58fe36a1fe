"""What Slack's error codes mean for a delivery: one table, pure.

The codes are those of https://docs.slack.dev/reference/methods/chat.postMessage#errors unless a comment says otherwise.
A code that is not here is tried again until the delivery is too old: Slack adds codes, and losing nothing comes first.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING

from bellwire.channels.http_verdicts import of_status, retry_after
from bellwire.channels.secrets import hide
from bellwire.errors import DeliveryError, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

# Nothing will be taken until someone mends the token, the app's scopes or the channel.
_CHANNEL_FAULTS = frozenset(
    {
        # https://docs.slack.dev/authentication/tokens
        "access_denied",
        "account_inactive",
        "ekm_access_denied",
        "enterprise_is_restricted",
        "invalid_auth",
        "missing_scope",
        "no_permission",
        "not_allowed_token_type",
        "not_authed",
        "org_login_required",
        "team_access_not_granted",
        "token_expired",
        "token_revoked",
        "two_factor_setup_required",
        # the conversation
        "channel_is_limited_access",
        "channel_not_found",
        "is_archived",
        "messages_tab_disabled",
        "not_in_channel",
        "restricted_action",
        "restricted_action_non_threadable_channel",
        "restricted_action_read_only_channel",
        "restricted_action_thread_locked",
        "restricted_action_thread_only_channel",
        "team_not_found",
        # the method itself
        "deprecated_endpoint",
        "method_deprecated",
        "accesslimited",
    }
)

# This message will never be taken. Limits: https://docs.slack.dev/reference/block-kit/blocks
_MESSAGE_FAULTS = frozenset(
    {
        "attachment_payload_limit_exceeded",
        "invalid_arg_name",
        "invalid_arguments",
        "invalid_array_arg",
        "invalid_attachments",
        "invalid_blocks",
        "invalid_blocks_format",
        "invalid_charset",
        "invalid_json",
        "invalid_metadata_format",
        "invalid_metadata_schema",
        "invalid_post_type",
        "json_not_object",
        "metadata_too_large",
        "missing_post_type",
        "msg_blocks_too_long",
        "msg_too_long",
        "no_text",
        "too_many_attachments",
        "too_many_blocks",
    }
)

# https://docs.slack.dev/apis/web-api/rate-limits
_RATE_LIMITS = frozenset({"ratelimited", "rate_limited"})


_CODE = re.compile(r"[A-Za-z]\w{0,79}", re.ASCII)
_STRANGE = "unreadable_error"


def code_of(data: object, secrets: Iterable[str]) -> str | None:
    """Return the error code of an answer; None if it has none, and one of ours for what is none, which may hold a secret."""
    code = data.get("error") if isinstance(data, dict) else None
    if not isinstance(code, str):
        return None
    return code if _CODE.fullmatch(hide(code, secrets)) else _STRANGE


def verdict_of(code: str) -> Verdict:
    """Return what an error code means."""
    if code in _CHANNEL_FAULTS:
        return Verdict.CHANNEL_FAULT
    if code in _MESSAGE_FAULTS:
        return Verdict.MESSAGE_FAULT
    # "some aspect of the operation" may have succeeded, says Slack
    return Verdict.IN_DOUBT if code == "fatal_error" else Verdict.RETRY


def of_answer(code: str | None, status: int, headers: Mapping[str, str], sent_at: datetime) -> DeliveryError:
    """Return the error that an answer of the Web API stands for which was not ``ok: true``.

    ``code`` is its error code, None where the answer was not Slack's own (a proxy's page, a gateway's 502).
    """
    if code in _RATE_LIMITS or status == HTTPStatus.TOO_MANY_REQUESTS:
        pause = retry_after(headers, sent_at)
        return DeliveryError("Slack: ratelimited", verdict=Verdict.RETRY, reason="slack_ratelimited", retry_after=pause)
    if code is not None:
        pause = retry_after(headers, sent_at)
        return DeliveryError(f"Slack: {code}", verdict=verdict_of(code), reason=f"slack_{code}", retry_after=pause)
    return of_status(status, headers, sent_at) or DeliveryError(
        f"HTTP {status}, but not Slack's own answer", verdict=Verdict.IN_DOUBT, reason="slack_unreadable"
    )
