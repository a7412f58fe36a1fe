"""Watching accounts: streaming, polling, and the machine that chooses between them."""
