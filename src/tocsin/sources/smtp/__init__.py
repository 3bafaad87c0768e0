"""Alarms by mail: cameras and recorders that send a mail with pictures."""
