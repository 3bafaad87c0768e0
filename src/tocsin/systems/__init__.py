"""On-prem systems: what devices there are and how they are, read from the customer's own systems."""
