"""The local stack: real services on loopback."""
