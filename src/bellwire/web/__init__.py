"""The status page, the health checks, the metrics and the HTTP API."""
