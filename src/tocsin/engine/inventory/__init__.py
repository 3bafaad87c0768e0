"""Devices of on-prem systems: read, made canonical, compared with what was known, watched (connectors.md 1 and 2)."""
