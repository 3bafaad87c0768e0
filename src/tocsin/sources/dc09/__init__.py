"""Panels and transmitters that report by SIA DC-09."""
