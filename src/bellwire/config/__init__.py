"""The configuration file: its schema, and reading it with the place of every fault."""
