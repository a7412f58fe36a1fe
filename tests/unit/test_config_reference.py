"""The configuration reference in the documentation is what the schema says."""

from __future__ import annotations

import re
from pathlib import Path

from click.testing import CliRunner

from bellwire.cli.schema import schema
from bellwire.config.reference_page import reference_page, undocumented
from bellwire.config.schema import Config, SlackConfig
from bellwire.config.shape import names

FILE = Path(__file__).parents[2] / "docs" / "configuration.md"


def test_every_key_has_a_sentence_and_every_sentence_a_key() -> None:
    assert undocumented() == []


def test_the_page_in_the_documentation_is_the_one_that_the_command_prints() -> None:
    printed = CliRunner().invoke(schema, ["--markdown"]).output
    assert printed == FILE.read_text(), "make it anew: bellwire schema --markdown > docs/configuration.md"


def rows(section: str) -> dict[str, list[str]]:
    _, _, after = reference_page().partition(f"\n## {section}\n")
    table = [line for line in after.partition("\n## ")[0].splitlines() if line.startswith("| `")]
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in table]
    return {first: rest for first, *rest in cells}


def test_the_page_names_every_key_that_works_with_type_default_and_the_files_of_secrets() -> None:
    assert rows("The file").keys() == {f"`{key}`" for key in names(Config)}
    slack = rows("receivers[].slack_configs[]")
    assert len(slack) == len(SlackConfig.model_fields)
    assert slack["`token`, `token_file`"][:2] == ["secret", "-"]
    assert slack["`max_alerts`"][:2] == ["whole number", "`40`"]
    accounts = rows("accounts[]")
    assert accounts["`name`"][1] == "**required**"
    assert accounts["`api`"][0].startswith("`visual_layer` \\| `qualytics`")
    assert accounts["`audit_interval`"][:2] == ["duration", "`10m`"]
    assert accounts["`mark_read`"][1] == "`delivered`"
    assert accounts["`paused`"][:2] == ["true or false", "`false`"]


def test_every_section_of_the_page_stands_once_and_says_where_else_it_may() -> None:
    page = reference_page()
    titles = re.findall(r"^## (.+)$", page, re.MULTILINE)
    assert len(set(titles)) == len(titles)
    _, _, http = page.partition("## accounts[].http_config\n")
    assert "`receivers[].webhook_configs[].http_config`" in http.partition("\n| key")[0]
