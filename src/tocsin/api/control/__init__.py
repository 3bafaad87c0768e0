"""The control API (stations.md 12): monitoring stations list devices, sound sirens, arm and disarm."""
