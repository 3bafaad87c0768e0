"""Patriot: a line in a mail to a mailbox that Patriot collects from."""
