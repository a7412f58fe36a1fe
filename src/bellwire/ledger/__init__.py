"""The durable store of alerts, obligations, deliveries, attempts and read marks: what is not in it has not happened."""
