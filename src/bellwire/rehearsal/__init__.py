"""The rules tried without their consequences: on made-up alerts, on those of the past, at any time."""
