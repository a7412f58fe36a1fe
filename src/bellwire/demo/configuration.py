"""The demo's configuration file: generated once, the user's to read and change; addresses come by environment variables."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

TEXT = """\
# The demo's configuration, read by the real daemon. Change it and run the demo again: this file is kept.
# (Delete it to get the generated one back.) The demo chooses its ports freely and passes addresses by environment.
#   bellwire check-config demo/bellwire.yaml   says what is wrong with it while the demo's variables are set
global:
  log_level: info

storage:
  url: ${DEMO_LEDGER}

web:
  listen: ${DEMO_WEB}                # the status page

accounts:
  - name: vision
    api: visual_layer
    base_url: ${DEMO_NOTIFICATIONS}  # the bundled reference server, in place of the vendor's
    authorization:
      api_key: ${DEMO_API_KEY}       # tokens are minted from these two, as at the vendor
      api_secret: ${DEMO_API_SECRET}
    labels: {team: vision}

label_rules:                         # applied in order, before routing
  - matchers: ['result_count >= "50"']
    labels: {severity: critical}

route:
  receiver: ops                      # whatever no route below takes
  routes:
    - matchers: ['severity = "critical"']
      receiver: pager
      continue: true                 # and then go on: ops gets it too
    - matchers: ['severity = "critical"']
      receiver: ops
    - matchers: ['type = "notification"']
      receiver: null                 # dropped, on purpose: stays unread at the vendor
    - matchers: ['dataset_name =~ "Doors|Windows"']
      receiver: mailbox

receivers:
  - name: ops
    slack_configs:
      - token: ${DEMO_SLACK_TOKEN}
        channel: "#ops-alerts"
        base_url: ${DEMO_SLACK}
    rate_limit: {per_second: 20, burst: 20}   # a real Slack wants 1 a second, which is the default
  - name: mailbox
    email_configs:
      - to: [oncall@example.com]
        from: bellwire@example.com
        smarthost: ${DEMO_SMTP}
        tls: none
  - name: pager
    webhook_configs:
      - url: ${DEMO_WEBHOOK}
        signing_secret: ${DEMO_SIGNING_SECRET}
"""


def provide(path: Path) -> bool:
    """Write the file unless there is one; return whether it is as generated."""
    if not path.exists():
        path.write_text(TEXT, encoding="utf-8")
    return path.read_text(encoding="utf-8") == TEXT
