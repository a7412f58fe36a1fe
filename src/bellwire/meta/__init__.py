"""Bellwire's own troubles: what is one, when it is over, who is told; and the heartbeat that stops if all this does."""
