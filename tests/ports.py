"""Ports of this machine."""

import socket


def free_port() -> int:
    """One on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def free_host() -> str:
    return f"127.0.0.1:{free_port()}"
