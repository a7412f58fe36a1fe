"""Bellwire: from the notification inboxes of the services a team uses to the places where the team looks."""

__version__ = "0.1.0"
