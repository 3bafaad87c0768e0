"""ONVIF cameras and encoders: a fleet of devices that are asked one by one (connectors.md 6)."""
