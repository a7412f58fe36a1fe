"""What each key of the configuration means, for the reference page. A test holds that no key is without its sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bellwire.config import schema

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bellwire.config.schema import Section

_MATCHERS = 'All must match. `label OPERATOR "value"`, or `{name, op, value}`.'

_CHANNEL = {
    "name": "Its name within the receiver; needed where a receiver has two of one kind.",
    "title": "A Jinja2 template for the title, instead of the channel's own form.",
    "text": "A Jinja2 template for the text, instead of the channel's own form.",
    "timeout": "How long one whole attempt may take. Else that of `http_config`.",
    "http_config": "How requests are made. E-mail uses its `tls_config`.",
    "max_alerts": "Alerts in one message; a larger group becomes several messages.",
}

TEXTS: Mapping[type[Section], Mapping[str, str]] = {
    schema.Config: {
        "global": "What holds for the whole process. A change takes a restart.",
        "storage": "Where the ledger is. A change takes a restart.",
        "web": "The status page, the API and the metrics. A change takes a restart.",
        "accounts": "Where notifications come from: one entry for each login.",
        "label_rules": "Labels that are set before anything is routed, in this order.",
        "route": "Who gets what: the root of the tree of routes. It must name a receiver.",
        "receivers": "Where alerts go.",
        "time_intervals": "Named sets of moments, for routes to refer to.",
        "inhibit_rules": "Which alerts keep which others from being sent.",
        "templates": "Files with Jinja2 macros that `title` and `text` may use. Globs are allowed.",
        "meta_receiver": "The receiver that is told of Bellwire's own troubles.",
        "heartbeat": "A dead-man's switch, pinged for as long as every part makes progress.",
        "tests": "Tests of the rules, run by `bellwire test`.",
    },
    schema.GlobalConfig: {
        "log_format": "One JSON object a line, or lines for people.",
        "log_level": "The least that is logged.",
        "timezone": "For cron, and for time intervals without a location.",
    },
    schema.StorageConfig: {
        "url": "`sqlite:///FILE`, with four slashes for a path from the root. Else `bellwire.db` in `$STATE_DIRECTORY`, else in the working directory.",
        "retention": "How long settled alerts keep their content. Identity and outcome stay.",
    },
    schema.WebConfig: {
        "listen": '`HOST:PORT`, or `""` for none. Beyond loopback a token is required.',
        "external_url": "The page's address as people reach it: for links in messages, and as a name that requests may bear.",
        "token": "Who has it may look and act. On loopback without it, everyone may.",
        "read_token": "Who has it may only look.",
        "tls_config": "Speak TLS with this certificate.",
    },
    schema.WebTlsConfig: {
        "cert_file": "The certificate with its chain, in PEM form.",
        "key_file": "Its private key, without a password.",
    },
    schema.AccountConfig: {
        "name": "Its own name. It is part of every alert's identity, so do not rename it lightly.",
        "api": "The vendor's dialect.",
        "base_url": "Where the API is; paths are added to it.",
        "authorization": "How the account proves who it is.",
        "mode": "`auto`: stream where the API streams, and poll while the stream cannot be had.",
        "paused": "Connects to nothing.",
        "params": "What the API itself filters by, and how it is called. See the API's page.",
        "headers": "Sent with every call; their values are secret.",
        "web_url": "owlmetry: put before the paths that items link to.",
        "org_id": "elan: whose inbox, of the user's organisations.",
        "labels": "Put on every alert of this account.",
        "stream": "When a stream is given up.",
        "poll": "How often the list is asked for.",
        "audit_interval": "How often the list is read for what a healthy stream missed.",
        "catch_up": "What happens to what was missed while nothing was connected.",
        "mark_read": "When an item is marked as read at the vendor: every receiver has it, the first has it, a rule dropped it or every receiver has it, or never.",
        "cancel_when_read": "Suppress what someone read at the vendor before it was sent.",
        "alert_when_silent": "Tell `meta_receiver` if nothing came for so long; `0s` is never.",
        "http_config": "How calls are made.",
    },
    schema.Authorization: {
        "type": "How the token is sent. `cookie` is owlmetry's alone.",
        "credentials": "A fixed token.",
        "api_key": "visual_layer: the name of a key pair, of which short-lived tokens are made.",
        "api_secret": "visual_layer: its secret.",
    },
    schema.StreamConfig: {"stall_timeout": "A stream without a byte for so long is made anew."},
    schema.PollConfig: {
        "min_interval": "The pause after activity.",
        "max_interval": "The longest pause while nothing comes.",
    },
    schema.CatchUpConfig: {
        "policy": "One message an item, one digest for all of them, or none.",
        "max_age": "Leave out what is older; `0s` is no limit.",
        "first_start": "The same for what is unread when the account is new.",
    },
    schema.HttpConfig: {
        "proxy_url": "`http://HOST:PORT` of a proxy; it may hold a user and password.",
        "tls_config": "How the other side is verified, and how we prove who we are.",
        "timeout": "How long one call may take.",
    },
    schema.TlsConfig: {
        "ca_file": "Certificates to trust instead of the system's, in PEM form.",
        "cert_file": "Our own certificate, where the other side asks for one.",
        "key_file": "Its private key.",
        "insecure_skip_verify": "Trust anyone: for a test at most.",
    },
    schema.LabelRule: {
        "matchers": f"{_MATCHERS} None: every alert.",
        "labels": "What to set. `severity` takes `info`, `warning`, `error` or `critical`; `title`, `message` and `upstream_id` are no labels.",
    },
    schema.MatcherConfig: {
        "name": "A label, or `title`, `message`, `upstream_id`, `payload.PATH`.",
        "op": "Regular expressions match the whole value; `<` and its like go by rank for `severity`, else by number.",
        "value": "What to compare with.",
    },
    schema.RouteConfig: {
        "receiver": "Who gets what no child route took. `null` drops on purpose; absent is inherited.",
        "matchers": f"{_MATCHERS} Not inherited.",
        "continue": "Look at the routes below as well. Not inherited.",
        "group_by": "Alerts with the same values of these labels share a message. `['...']`: each alert alone.",
        "group_wait": "How long a new group waits for company.",
        "group_interval": "The least time between two messages of a group.",
        "active_time_intervals": "Send only within these.",
        "mute_time_intervals": "Do not send within these.",
        "muted": "What becomes of an alert outside its window: dropped, or held until it opens.",
        "suppress_repeats": "One like it within so long of the first confirmed send is suppressed, and counted.",
        "dedupe_by": "The labels by which one alert is like another.",
        "digest": "A crontab expression: collect until then, and send one message.",
        "routes": "Child routes, looked at in order; the first that matches takes the alert.",
    },
    schema.ReceiverConfig: {
        "name": "What routes call it.",
        "paused": "Keeps what it is owed and sends nothing.",
        "slack_configs": "Slack channels.",
        "email_configs": "Mail.",
        "webhook_configs": "Webhooks.",
        "apprise_configs": "Services of Apprise.",
        "fallback": "Receivers that get the alert when a channel here does not.",
        "fallback_after": "How long a channel may be without success before they do.",
        "rate_limit": "For each channel. Slack has 1 a second by default, the others none.",
        "retry": "How a failed attempt is repeated.",
    },
    schema.RateLimitConfig: {
        "per_second": "Messages a second, in the long run.",
        "burst": "How many may go out at once.",
        "max_delay": "What has waited longer goes out as digests.",
    },
    schema.RetryConfig: {
        "initial_backoff": "The first pause; each later one may be twice as long, and is jittered.",
        "max_backoff": "The longest pause.",
        "max_age": "From the first attempt; then the delivery is dead, and kept for a replay.",
    },
    schema.SlackConfig: _CHANNEL
    | {
        "token": "A bot token (`xoxb-…`).",
        "app_token": "An app-level token (`xapp-…`) for Socket Mode: buttons under messages.",
        "api_url": "The address of an incoming webhook, instead of a token.",
        "channel": 'Where the token posts to: `"#name"`, or an id.',
        "thread": "Follow-ups of a group go into the thread of its first message.",
        "mention": "Who is named before messages whose alerts match.",
        "base_url": "Slack's Web API.",
    },
    schema.MentionConfig: {"matchers": _MATCHERS, "text": "Such as `<!subteam^S123>`, `<@U123>` or `<!here>`."},
    schema.WebhookConfig: _CHANNEL
    | {
        "url": "Where to.",
        "method": "The method of the request.",
        "signing_secret": "Sign by Standard Webhooks: base64, with or without `whsec_`.",
        "signing_secrets": "Several, while they are changed: each signs. In a file, one a line.",
        "headers": "Sent with every request; their values are secret.",
    },
    schema.EmailConfig: _CHANNEL
    | {
        "to": "Recipients; each is a delivery of its own.",
        "from": "The sender's bare address.",
        "smarthost": "`HOST:PORT` of the server that takes the mail.",
        "tls": "STARTTLS, TLS from the first byte, or none.",
        "auth_username": "Who we are to the server.",
        "auth_password": "And our password.",
    },
    schema.AppriseConfig: _CHANNEL
    | {
        "url": "An Apprise URL, one a config.",
        "on_doubt": "What to do where nobody can say whether it arrived.",
    },
    schema.TimeIntervalConfig: {
        "name": "What routes call it.",
        "time_intervals": "Any of them will do.",
    },
    schema.TimeIntervalSpec: {
        "times": "Times of the day.",
        "weekdays": "Such as `monday:friday`.",
        "days_of_month": "Such as `1:5` or `-1` (the last).",
        "months": "Such as `january` or `6:8`.",
        "years": "Such as `2026:2028`.",
        "location": "A time zone, or `Local` for the machine's: that of `$TZ`, else of `/etc/localtime`, else UTC. Else `global.timezone`.",
    },
    schema.TimeRange: {"start_time": "`HH:MM`.", "end_time": "`HH:MM`, not included; `24:00` is the day's end."},
    schema.InhibitRule: {
        "source_matchers": "Alerts that cast a shadow.",
        "target_matchers": "Alerts that are suppressed in it.",
        "equal": "Labels that both must share.",
        "duration": "How long the shadow lasts.",
    },
    schema.HeartbeatConfig: {"url": "What is asked for by GET.", "interval": "How often."},
    schema.RuleTest: {
        "name": "A sentence.",
        "at": "When it is; without an offset by `global.timezone`. Else a Wednesday at noon.",
        "alerts": "What comes in.",
        "silences": "What is silenced.",
        "run_for": "How long their ways are followed. `0s`: until what goes out at once is sent, after `group_wait`.",
        "expect": "What must come of it.",
    },
    schema.SampleAlert: {
        "account": "The account it comes from, which brings its API and labels along.",
        "labels": "Its labels, over those of the account; `severity`, `type` and `upstream_id` may be named too.",
        "title": "Its title.",
        "message": "Its message.",
        "payload": "The vendor's item, for matchers and templates that look into it.",
        "after": "When it comes, from the test's `at` on.",
    },
    schema.SampleSilence: {
        "matchers": _MATCHERS,
        "after": "From when, from the test's `at` on.",
        "duration": "For how long.",
    },
    schema.Expectation: {
        "receivers": "Those notified.",
        "held": "Those that an alert waits for, until a window opens or a digest is due.",
        "suppressed": "Why something was not sent: dropped, inhibited, silenced, repeat or muted.",
        "groups": "The labels of each group that was notified.",
        "title": "The title of one of the messages.",
        "text": "The text of one of the messages.",
    },
}
