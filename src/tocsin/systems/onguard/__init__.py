"""Lenel OnGuard over its web service OpenAccess: inventory, hardware status, events (connectors.md 5)."""
