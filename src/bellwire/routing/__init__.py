"""Which alert goes where, and why: alert and rules in, a decision with reasons out. Pure."""
