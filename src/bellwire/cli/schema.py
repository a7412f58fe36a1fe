"""``bellwire schema``: prints the JSON Schema of the configuration, or its reference page."""

from __future__ import annotations

import json

import click


@click.command("schema")
@click.option("--markdown", is_flag=True, help="Print the configuration reference instead, as a page for people.")
def schema(markdown: bool) -> None:  # noqa: FBT001 - click's way
    """Print the JSON Schema of the configuration file.

    Editors complete and check by it: put `# yaml-language-server: $schema=FILE` in the first line of the configuration.
    """
    from bellwire.config.json_schema import json_schema  # noqa: PLC0415 - the command line must start fast
    from bellwire.config.reference_page import reference_page  # noqa: PLC0415 - as above

    if markdown:
        click.echo(reference_page(), nl=False)
        return
    click.echo(json.dumps(json_schema(), ensure_ascii=False, indent=2))
