"""A service cloud that keeps the inventory and the health of devices."""
