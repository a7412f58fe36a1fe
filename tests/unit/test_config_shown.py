from __future__ import annotations

from typing import TYPE_CHECKING

from ruamel.yaml import YAML

from bellwire.config.load import load
from bellwire.config.shown import shown

if TYPE_CHECKING:
    from pathlib import Path

TEXT = """
accounts:
  - name: vision
    api: visual_layer
    base_url: https://vision.example
    authorization: {credentials: hunter2-credentials}
    headers: {X-Org-Id: hunter2-org, X-Api-Key: hunter2-header}
    audit_interval: 90s
route:
  receiver: ops
  routes:
    - matchers: ['type = "notification"']
      receiver: null
receivers:
  - name: ops
    webhook_configs: [{url: 'https://hook.example/hunter2-url', headers: {Authorization: hunter2-webhook}}]
"""


def told(folder: Path) -> str:
    path = folder / "bellwire.yaml"
    path.write_text(TEXT)
    return shown(load(path, {}))


def test_no_secret_is_shown(tmp_path: Path) -> None:
    assert "hunter2" not in told(tmp_path)


def test_what_was_written_is_shown_and_nothing_else(tmp_path: Path) -> None:
    text = told(tmp_path)
    assert "X-Org-Id: '**********'" in text
    assert "audit_interval: 1m30s" in text
    assert "receiver: null" in text
    assert "mark_read" not in text


def test_it_is_yaml(tmp_path: Path) -> None:
    read = YAML(typ="safe").load(told(tmp_path))
    assert read["route"]["routes"] == [{"matchers": ['type = "notification"'], "receiver": None}]
    assert read["accounts"][0]["authorization"] == {"credentials": "**********"}
