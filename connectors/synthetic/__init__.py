"""A synthetic web shop."""
