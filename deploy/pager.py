# ruff: noqa: INP001 - a script, no package
"""Prints what arrives: it stands in for whatever you want alerts to go to."""

import http.server
import json


class Pager(http.server.BaseHTTPRequestHandler):
    """Takes webhooks."""

    def do_POST(self) -> None:
        """Take one."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        for alert in body["alerts"]:
            print(alert["severity"], alert["title"], flush=True)  # noqa: T201 - that is what it is for
        self.send_response(204)
        self.end_headers()


http.server.HTTPServer(("", 9097), Pager).serve_forever()
