"""Capture: connector configuration and Kafka Connect."""
