"""Maintenance of Delta tables: small files into larger ones, files and log entries that nobody needs away.

Each step says why it is worth it, does nothing where it is not, and is one commit or none: killed, it is run again.
"""

__all__ = ["bronze_files", "cleaning", "files", "steps"]
