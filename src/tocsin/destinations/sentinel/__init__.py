"""Sentinel (Monitor Computer Systems): text in a mail."""
