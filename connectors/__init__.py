"""Connectors: how to talk to one system each. Plain Python, usable alone in a notebook or a test."""
