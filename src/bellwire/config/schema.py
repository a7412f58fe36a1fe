"""The configuration's keys, types and defaults: the contract of the one YAML file.

These are values only; `bellwire.config.load` reads them from a file. Secrets are `SecretStr`, whose text form is
``**********``. Every secret ``x`` may be given as ``x_file``; the loader has read the file by the time a model is made.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, SecretStr

from bellwire.config.duration import format_duration, parse_duration
from bellwire.model import MarkPolicy, Severity

Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
]


class Section(BaseModel):
    """A mapping of the file: unknown keys are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, populate_by_name=True)


# --- shared by accounts and channels -------------------------------------------------------------------------------


class TlsConfig(Section):
    """How the other side is verified, and how we prove who we are."""

    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    insecure_skip_verify: bool = False


class HttpConfig(Section):
    """How HTTP requests are made."""

    proxy_url: SecretStr | None = None  # it may bear a password
    tls_config: TlsConfig = TlsConfig()
    timeout: Duration = timedelta(seconds=30)


# --- global, storage, web ------------------------------------------------------------------------------------------


class GlobalConfig(Section):
    """What holds for the whole process."""

    log_format: Literal["json", "console"] = "json"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    timezone: str = "UTC"


class StorageConfig(Section):
    """Where the ledger is. ``url`` None: ``bellwire.db`` under ``$STATE_DIRECTORY`` or the working directory."""

    url: SecretStr | None = None  # a PostgreSQL address bears a password
    retention: Duration = timedelta(days=30)


class WebTlsConfig(Section):
    """The server's certificate."""

    cert_file: str
    key_file: str


class WebConfig(Section):
    """The status page, the API and the metrics; ``listen`` empty: none."""

    listen: str = "127.0.0.1:9095"
    external_url: str | None = None
    token: SecretStr | None = None
    read_token: SecretStr | None = None
    tls_config: WebTlsConfig | None = None


# --- accounts ------------------------------------------------------------------------------------------------------


class Authorization(Section):
    """How an account proves who it is: a fixed token, or a key pair from which tokens are minted.

    ``type`` is how the token is sent: as a header, or as the vendor's cookie where the vendor has one.
    """

    type: Literal["bearer", "cookie"] = "bearer"
    credentials: SecretStr | None = None
    api_key: SecretStr | None = None
    api_secret: SecretStr | None = None


class StreamConfig(Section):
    """A stream without bytes for ``stall_timeout`` is dead."""

    stall_timeout: Duration = timedelta(seconds=90)


class PollConfig(Section):
    """Between these two the pause between polls moves."""

    min_interval: Duration = timedelta(seconds=5)
    max_interval: Duration = timedelta(minutes=5)


class CatchUpConfig(Section):
    """What happens to notifications that were missed (``policy``) or there before the account was new (``first_start``)."""

    policy: Literal["all", "digest", "none"] = "all"
    max_age: Duration = timedelta(0)
    first_start: Literal["digest", "all", "none"] = "digest"


class AccountConfig(Section):
    """One login at one vendor."""

    name: str = Field(min_length=1)
    api: str
    base_url: str
    authorization: Authorization | None = None
    mode: Literal["auto", "stream", "poll"] = "auto"
    paused: bool = False
    params: dict[str, Any] = {}
    headers: dict[str, str] = {}
    web_url: str | None = None  # where people look at what the vendor links to; owlmetry alone
    org_id: str | None = None  # whose inbox it is, of the user's organisations; elan alone
    labels: dict[str, str] = {}
    stream: StreamConfig = StreamConfig()
    poll: PollConfig = PollConfig()
    audit_interval: Duration = timedelta(minutes=10)
    catch_up: CatchUpConfig = CatchUpConfig()
    mark_read: MarkPolicy = MarkPolicy.DELIVERED
    http_config: HttpConfig = HttpConfig()


# --- rules ---------------------------------------------------------------------------------------------------------


class MatcherConfig(Section):
    """The object form of a matcher; the text form is the same."""

    name: str
    op: Literal["=", "!=", "=~", "!~", "<", "<=", ">", ">="]
    value: str


Matchers = list[str | MatcherConfig]


class LabelRule(Section):
    """Labels that are set on an alert whose matchers all match, before routing."""

    matchers: Matchers = []
    labels: dict[str, str]


class RouteConfig(Section):
    """A node of the routing tree. A key that is absent is inherited: see ``model_fields_set``."""

    receiver: str | None = None
    matchers: Matchers = []
    continue_: bool = Field(default=False, alias="continue")
    group_by: list[str] = ["..."]
    group_wait: Duration = timedelta(0)
    group_interval: Duration = timedelta(minutes=5)
    routes: list[RouteConfig] = []


# --- receivers -----------------------------------------------------------------------------------------------------


class ChannelConfig(Section):
    """What every channel takes."""

    name: str = ""
    timeout: Duration | None = None  # of one whole send; None: http_config.timeout
    http_config: HttpConfig = HttpConfig()  # e-mail uses its tls_config
    max_alerts: int = Field(default=100, ge=1, le=1000)

    @property
    def send_timeout(self) -> float:
        """Seconds that one send may take."""
        return (self.timeout or self.http_config.timeout).total_seconds()


class MentionConfig(Section):
    """Text that is put before a message whose alerts match (a Slack mention)."""

    matchers: Matchers
    text: str


class SlackConfig(ChannelConfig):
    """Slack: either a bot token and a channel (Web API), or the address of an incoming webhook."""

    token: SecretStr | None = None
    api_url: SecretStr | None = None
    channel: str | None = None
    mention: list[MentionConfig] = []
    base_url: str = "https://slack.com/api/"
    max_alerts: int = Field(default=40, ge=1, le=40)


class WebhookConfig(ChannelConfig):
    """A signed webhook."""

    url: SecretStr  # it often bears a token
    method: Literal["POST", "PUT", "PATCH"] = "POST"
    signing_secret: SecretStr | None = None
    signing_secrets: list[SecretStr] = []
    headers: dict[str, SecretStr] = {}


class EmailConfig(ChannelConfig):
    """Mail by SMTP, one delivery for each recipient."""

    to: list[str] = Field(min_length=1)
    from_: str = Field(alias="from")
    smarthost: str
    tls: Literal["starttls", "implicit", "none"] = "starttls"
    auth_username: str | None = None
    auth_password: SecretStr | None = None


class AppriseConfig(ChannelConfig):
    """Any service that Apprise knows, by its URL."""

    url: SecretStr
    on_doubt: Literal["resend", "dead"] = "resend"


class RateLimitConfig(Section):
    """A token bucket a channel."""

    per_second: float = Field(default=1.0, gt=0)
    burst: int = Field(default=1, ge=1)
    max_delay: Duration = timedelta(seconds=30)


class RetryConfig(Section):
    """How a failed attempt is repeated; ``max_age`` counts from the first attempt."""

    initial_backoff: Duration = timedelta(seconds=1)
    max_backoff: Duration = timedelta(minutes=5)
    max_age: Duration = timedelta(hours=24)


class ReceiverConfig(Section):
    """A named set of channels."""

    name: str = Field(min_length=1)
    paused: bool = False
    slack_configs: list[SlackConfig] = []
    email_configs: list[EmailConfig] = []
    webhook_configs: list[WebhookConfig] = []
    apprise_configs: list[AppriseConfig] = []
    rate_limit: RateLimitConfig | None = None
    retry: RetryConfig = RetryConfig()


class Config(Section):
    """The whole file."""

    global_: GlobalConfig = Field(default=GlobalConfig(), alias="global")
    storage: StorageConfig = StorageConfig()
    web: WebConfig = WebConfig()
    accounts: list[AccountConfig] = []
    label_rules: list[LabelRule] = []
    route: RouteConfig
    receivers: list[ReceiverConfig]


SEVERITIES = tuple(severity.text for severity in Severity)
