"""Buttons under messages: what people press in Slack, carried out and answered."""
