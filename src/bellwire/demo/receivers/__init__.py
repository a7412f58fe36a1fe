"""Receivers on loopback, on real sockets, for the demonstration and the tests: what arrives is kept, answers can be scripted.

Each is an async context manager that listens, on a port that the system chooses, from entering to leaving.
"""

from bellwire.demo.receivers.http import Reply, Request, WebhookReceiver
from bellwire.demo.receivers.slack import SlackApi, SlackMessage
from bellwire.demo.receivers.smtp import Mail, SmtpInbox

__all__ = ["Mail", "Reply", "Request", "SlackApi", "SlackMessage", "SmtpInbox", "WebhookReceiver"]
