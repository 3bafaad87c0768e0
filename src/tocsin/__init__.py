"""Tocsin: the open gateway between physical-security systems and the people who answer them."""

__version__ = "0.1.0"
