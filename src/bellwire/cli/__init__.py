"""The command line. Each command is a module, imported only when it is called: ``--help`` must not wait for a daemon."""

from __future__ import annotations

import importlib
from typing import Any

import click

from bellwire import __version__

_COMMANDS: dict[str, tuple[str, str]] = {
    "run": ("bellwire.cli.run:run", "Run the daemon."),
    "check-config": ("bellwire.cli.check_config:check_config", "Say all that is wrong with a configuration."),
    "schema": ("bellwire.cli.schema:schema", "Print the JSON Schema of the configuration, for editors."),
    "routes": ("bellwire.cli.routes:routes", "Show the routing tree, and try labels on it."),
    "test": ("bellwire.cli.test:test", "Run the tests of the rules."),
    "simulate": ("bellwire.cli.simulate:simulate", "Run the alerts of the last days through another configuration."),
    "import-alertmanager": (
        "bellwire.cli.import_alertmanager:import_alertmanager",
        "Turn an Alertmanager configuration into ours.",
    ),
    "explain": ("bellwire.cli.explain:explain", "Tell what happened to an alert, and why."),
    "audit": ("bellwire.cli.audit:audit", "Add up every alert ever seen."),
    "alerts": ("bellwire.cli.alerts:alerts", "List the newest alerts."),
    "deliveries": ("bellwire.cli.deliveries:deliveries", "List deliveries, and give up dead ones."),
    "replay": ("bellwire.cli.replay:replay", "Send deliveries again."),
    "backup": ("bellwire.cli.backup:backup", "Copy the ledger, while the daemon goes on writing."),
    "doctor": ("bellwire.cli.doctor:doctor", "Try everything that the configuration names, and say how to mend it."),
    "init": ("bellwire.cli.init:init", "Write a first configuration by asking."),
    "send-test": ("bellwire.cli.send_test:send_test", "Send a test message through every channel of a receiver."),
    "silence": ("bellwire.cli.silence:silence", "Add, list and end silences."),
    "reference": ("bellwire.cli.reference:reference", "Run the bundled notifications server."),
    "demo": ("bellwire.cli.demo:demo", "Show all of it at work on this machine."),
}
"""Where each command is, and its line in ``--help``."""


class _Commands(click.Group):
    """A group that imports a command when it is called, not when it is listed."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names in the order of the table."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """Import the command of that name."""
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name][0].partition(":")
        command: Any = getattr(importlib.import_module(module), name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """Write the table without importing anything."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in _COMMANDS.items()])


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="bellwire")
def main() -> None:
    """Forward alerts from vendors' notification inboxes to Slack, mail, webhooks and 180 services more."""
