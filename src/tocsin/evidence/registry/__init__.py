"""Speaking to a camera registry: wire profile, connection file, tokens, calls (clearance.md 3 to 6)."""
