"""The configuration's keys, types and defaults: the contract of the one YAML file.

These are values only; `bellwire.config.load` reads them from a file. Secrets are `SecretStr`, whose text form is
``**********``. Every secret ``x`` may be given as ``x_file``; the loader has read the file by the time a model is made.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, PrivateAttr, SecretStr

from bellwire.config.duration import format_duration, parse_duration
from bellwire.errors import Fault
from bellwire.model import MarkPolicy, Severity
from bellwire.templating.stationery import TemplateFile

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
    headers: dict[str, SecretStr] = {}
    web_url: str | None = None  # where people look at what the vendor links to; owlmetry alone
    org_id: str | None = None  # whose inbox it is, of the user's organisations; elan alone
    labels: dict[str, str] = {}
    stream: StreamConfig = StreamConfig()
    poll: PollConfig = PollConfig()
    audit_interval: Duration = timedelta(minutes=10)
    catch_up: CatchUpConfig = CatchUpConfig()
    mark_read: MarkPolicy = MarkPolicy.DELIVERED
    cancel_when_read: bool = False  # read at the vendor by someone else before it was sent: suppress it
    alert_when_silent: Duration = timedelta(0)  # no item for so long: tell meta_receiver; 0 = never
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
    group_interval: Duration = timedelta(0)
    active_time_intervals: list[str] = []
    mute_time_intervals: list[str] = []
    muted: Literal["drop", "hold"] = "drop"
    suppress_repeats: Duration = timedelta(0)
    dedupe_by: list[str] = ["account", "type", "title"]
    digest: str | None = None  # a standard crontab expression: collect until then
    routes: list[RouteConfig] = []


# --- receivers -----------------------------------------------------------------------------------------------------


class ChannelConfig(Section):
    """What every channel takes. ``title`` and ``text`` are Jinja2 templates; None: the channel's own form."""

    name: str = ""
    title: str | None = None
    text: str | None = None
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
    app_token: SecretStr | None = None  # Socket Mode: buttons
    api_url: SecretStr | None = None
    channel: str | None = None
    thread: bool = True  # follow-ups of a group go into its thread
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
    fallback: list[str] = []
    fallback_after: Duration = timedelta(minutes=10)
    rate_limit: RateLimitConfig | None = None
    retry: RetryConfig = RetryConfig()


# --- time, inhibition, Bellwire's own troubles, tests --------------------------------------------------------------


class TimeRange(Section):
    """From ``start_time`` to before ``end_time`` of one day, as ``HH:MM``; ``24:00`` is its end."""

    start_time: str
    end_time: str


class TimeIntervalSpec(Section):
    """A set of moments: each key that is given narrows it; within a key, any entry will do. As in Alertmanager."""

    times: list[TimeRange] = []
    weekdays: list[str] = []
    days_of_month: list[str] = []
    months: list[str] = []
    years: list[str] = []
    location: str | None = None  # None: global.timezone


class TimeIntervalConfig(Section):
    """A named set of moments: those of any of its entries."""

    name: str = Field(min_length=1)
    time_intervals: list[TimeIntervalSpec]


class InhibitRule(Section):
    """While an alert that matches ``source_matchers`` casts its shadow, alike ones that match the others are suppressed."""

    source_matchers: Matchers
    target_matchers: Matchers
    equal: list[str] = []
    duration: Duration = timedelta(minutes=10)


class HeartbeatConfig(Section):
    """A dead-man's switch, pinged only while every part makes progress."""

    url: SecretStr
    interval: Duration = timedelta(minutes=1)


class SampleAlert(Section):
    """An alert of a test; what is absent is as an alert of the account's API has it. ``after`` is from the test's ``at``."""

    account: str | None = None
    labels: dict[str, str] = {}
    title: str | None = None
    message: str = ""
    payload: Any = None
    after: Duration = timedelta(0)


class SampleSilence(Section):
    """A silence that stands in a test from ``after`` on, for ``duration``."""

    matchers: Matchers
    after: Duration = timedelta(0)
    duration: Duration = timedelta(hours=1)


class Expectation(Section):
    """What a test expects of all its alerts together; a key that is absent is not looked at."""

    receivers: list[str] | None = None  # those notified
    held: list[str] | None = None  # those that an alert waits for, until a window opens or a digest's time comes
    suppressed: str | None = None  # the reason why nothing was sent
    groups: list[dict[str, str]] | None = None  # the labels of each group that was notified
    title: str | None = None
    text: str | None = None


class RuleTest(Section):
    """A test of the rules, run by ``bellwire test``. ``run_for`` is how long the alerts' ways are followed."""

    name: str = Field(min_length=1)
    at: datetime | None = None
    alerts: list[SampleAlert]
    silences: list[SampleSilence] = []
    run_for: Duration = timedelta(0)
    expect: Expectation


class Config(Section):
    """The whole file."""

    global_: GlobalConfig = Field(default=GlobalConfig(), alias="global")
    storage: StorageConfig = StorageConfig()
    web: WebConfig = WebConfig()
    accounts: list[AccountConfig] = []
    label_rules: list[LabelRule] = []
    route: RouteConfig
    receivers: list[ReceiverConfig]
    time_intervals: list[TimeIntervalConfig] = []
    inhibit_rules: list[InhibitRule] = []
    templates: list[str] = []
    meta_receiver: str | None = None
    heartbeat: HeartbeatConfig | None = None
    tests: list[RuleTest] = []

    _template_files: tuple[TemplateFile, ...] = PrivateAttr(())
    _unread: tuple[Fault, ...] = PrivateAttr(())

    @property
    def template_files(self) -> tuple[TemplateFile, ...]:
        """What ``templates`` names, as it was when the configuration was loaded: a reload must not find half of a change."""
        return self._template_files

    def with_template_files(self, files: tuple[TemplateFile, ...]) -> Config:
        """Return the configuration with the contents of its template files."""
        copy = self.model_copy()
        copy._template_files = files  # noqa: SLF001 - a copy of this
        return copy

    @property
    def unread(self) -> tuple[Fault, ...]:
        """Why secrets could not be read that were not asked for; with any, nothing can be sent or asked by this."""
        return self._unread

    def with_unread(self, unread: tuple[Fault, ...]) -> Config:
        """Return the configuration with what is not read of it."""
        copy = self.model_copy()
        copy._unread = unread  # noqa: SLF001 - a copy of this
        return copy


SEVERITIES = tuple(severity.text for severity in Severity)
