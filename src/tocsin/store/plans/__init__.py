"""Every change and every question of the contract as a plan (see steps.py), the same for both engines."""
