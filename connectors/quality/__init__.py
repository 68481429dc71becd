"""Proof that the lake equals its sources."""
