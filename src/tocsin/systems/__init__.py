"""On-prem systems: a folder for each type, which reads its inventory and health (engine/systems.py)."""
