"""Receivers and clouds that hand over alarms by the Sur-Gard automation output."""
