"""Tells systemd how the service is (sd_notify(3)); does nothing where nobody asked."""

import os
import socket


def notify(state: str) -> None:
    """`READY=1`, `RELOADING=1`, `STOPPING=1`, `STATUS=…`."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address or not hasattr(socket, "AF_UNIX"):
        return
    name = "\0" + address[1:] if address.startswith("@") else address
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        try:
            channel.connect(name)
            channel.send(state.encode())
        except OSError:
            # A supervisor that went away must not stop the gateway.
            return
