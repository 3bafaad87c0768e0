"""Monitoring stations: one folder per type."""
