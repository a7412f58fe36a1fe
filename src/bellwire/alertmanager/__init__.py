"""From an Alertmanager configuration to ours: what can be taken over, and a comment for each thing that cannot."""
