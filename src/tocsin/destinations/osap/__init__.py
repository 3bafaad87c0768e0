"""A control room that takes the Open Secure Alarm Protocol, a published draft (receivers.md 8.2)."""
