"""A stand-in of a camera registry: token service, agent service, and a reader of what was stored (clearance.md 18)."""
