"""The stand-in's Windows login: NTLM over one connection, checked by an independent implementation (pyspnego)."""

import base64
import binascii
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from weakref import WeakKeyDictionary

import spnego
from aiohttp import web
from spnego.exceptions import SpnegoError

from tocsin.standins.milestone.switches import Login

USERS = "NTLM_USER_FILE"
"""The variable that tells the implementation the file of users, `domain:user:password`."""


class WindowsDoor:
    """Knows how far each connection's handshake has come. The password has no colon."""

    def __init__(self, login: Login) -> None:
        domain, _, name = login.username.rpartition("\\")
        self._line = f"{domain}:{name}:{login.password}\n"
        self._begun: WeakKeyDictionary[object, spnego.ContextProxy] = WeakKeyDictionary()

    def challenge(self, request: web.Request) -> str:
        """What `WWW-Authenticate` must say; empty once the user is let in."""
        word, _, token = request.headers.get("Authorization", "").partition(" ")
        link = request.transport
        if word != "NTLM" or link is None:
            return "NTLM"
        try:
            with self._users():
                context = self._begun.get(link) or spnego.server(protocol="ntlm")
                self._begun[link] = context
                answer = context.step(base64.b64decode(token, validate=True))
        except (SpnegoError, binascii.Error, ValueError):
            self._begun.pop(link, None)
            return "NTLM"
        return "" if context.complete else f"NTLM {base64.b64encode(answer or b'').decode()}"

    @contextmanager
    def _users(self) -> Iterator[None]:
        """The variable stands for the moment of a step only: it is the whole process's."""
        with tempfile.NamedTemporaryFile("w", suffix=".users") as file:
            file.write(self._line)
            file.flush()
            before = os.environ.get(USERS)
            os.environ[USERS] = file.name
            try:
                yield
            finally:
                os.environ.pop(USERS)
                if before is not None:
                    os.environ[USERS] = before
