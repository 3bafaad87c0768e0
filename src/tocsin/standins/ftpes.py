"""A stand-in FTP server of a station: takes files by FTP and FTPES, reports sets, and fails on command.

A file is complete when it has its final name; a text file (`.txt`) completes the set of its folder.
"""

import asyncio
import contextlib
import hmac
import logging
import shutil
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from msgspec import Struct
from pyftpdlib import ioloop  # first: it loads asyncore without its warning
from pyftpdlib.authorizers import AuthenticationFailed, DummyAuthorizer
from pyftpdlib.handlers import FTPHandler, ThrottledDTPHandler, TLS_DTPHandler, TLS_FTPHandler
from pyftpdlib.servers import FTPServer

from tocsin.config.listening import split_listen
from tocsin.engine.clock import LoopClock
from tocsin.engine.contracts import Clock
from tocsin.media.jpeg import JpegFacts, jpeg_facts
from tocsin.standins.serving import until_cancelled

Out = Callable[[dict[str, Any]], None]
LONGEST_TEXT = 4096
REMEMBERED = 1000
_PERMISSIONS = "elradfmw"
_SMALL_READ = 1024
_LOOK_S = 0.05


class FtpSwitches(Struct):
    """How the server is set up, and what goes wrong; what is not about TLS may be changed while it runs.

    `cert` and `key` are PEM files: TLS is offered by AUTH TLS, with `require_tls` demanded for login and files.
    `drop_after` cuts both connections when so many bytes of a file have come, `drops` times. `slow`: bytes per second.
    `delay_s` is waited before each command is carried out.
    """

    user: str = "tocsin"
    password: str = "tocsin"  # noqa: S105 - a stand-in's
    cert: str = ""
    key: str = ""
    require_tls: bool = False
    refuse_login: bool = False
    disk_full: bool = False
    refuse_files: bool = False
    drop_after: int = 0
    drops: int = 0
    slow: int = 0
    delay_s: float = 0.0


class FtpStandin:
    """Listens on `host:port` (port 0: any free one; `start` returns it). `out` gets one dict per file and set.

    `folder` is where files are kept; empty: a temporary one that is removed at the end.
    """

    def __init__(
        self, listen: str, out: Out, clock: Clock, switches: FtpSwitches | None = None, folder: str = ""
    ) -> None:
        self._host, self._port = split_listen(listen)
        self._out = out
        self._clock = clock
        self.switches = switches or FtpSwitches()
        self.root = Path(folder or tempfile.mkdtemp(prefix="tocsin-ftpes-")).resolve()
        self._temporary = not folder
        self.logins = 0
        self._sets: dict[str, list[str]] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def start(self) -> int:
        """Listen; returns the port. Raises OSError."""
        _quiet()
        self._loop = asyncio.get_running_loop()
        server = FTPServer((self._host, self._port), _handler(self), ioloop=ioloop.IOLoop())
        self._thread = threading.Thread(target=self._serve, args=(server,), name="stand-in ftpes", daemon=True)
        self._thread.start()
        return int(server.socket.getsockname()[1])

    async def aclose(self) -> None:
        self._stop.set()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join, 10)
        if self._temporary:
            shutil.rmtree(self.root, ignore_errors=True)

    def _serve(self, server: Any) -> None:
        until_next: float | None = None
        while not self._stop.is_set():
            until_next = server.ioloop.loop(min(_LOOK_S, until_next or _LOOK_S), blocking=False)
        server.close_all()

    def arrived(self, path: Path, peer: str, tls: bool) -> None:
        """A file has its final name. Called in the server's thread."""
        name = path.relative_to(self.root).as_posix()
        folder = name.rpartition("/")[0]
        data = path.read_bytes()
        record = {
            "received_at": self._clock.now().isoformat(timespec="milliseconds"),
            "peer": peer,
            "tls": tls,
            "path": name,
            "bytes": len(data),
        }
        files = self._sets.setdefault(folder, [])
        files.append(name)
        del files[:-REMEMBERED]
        if name.endswith(".txt"):
            del self._sets[folder]
            text = data[:LONGEST_TEXT].decode("utf-8", "backslashreplace")
            self._tell({"kind": "set", **record, "files": files, "text": text})
        else:
            self._tell({"kind": "file", **record, **_facts(name, data)})

    def _tell(self, record: dict[str, Any]) -> None:
        assert self._loop is not None
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._out, record)


def _facts(name: str, data: bytes) -> dict[str, Any]:
    if not name.lower().endswith((".jpg", ".jpeg")):
        return {}
    facts = jpeg_facts(data)
    if isinstance(facts, JpegFacts):
        return {"width": facts.width, "height": facts.height}
    return {"problem": f"no JPEG: {facts.reason}"}


class _Login(DummyAuthorizer):  # type: ignore[misc]
    def __init__(self, standin: FtpStandin) -> None:
        super().__init__()
        self._standin = standin
        self.add_user(standin.switches.user, standin.switches.password, str(standin.root), perm=_PERMISSIONS)

    def validate_authentication(self, username: str, password: str, handler: Any) -> None:
        switches = self._standin.switches
        given, wanted = f"{username}\0{password}", f"{switches.user}\0{switches.password}"
        if switches.refuse_login or not hmac.compare_digest(given.encode(), wanted.encode()):
            raise AuthenticationFailed("Login incorrect.")
        self._standin.logins += 1


class _Data(ThrottledDTPHandler):  # type: ignore[misc]
    """A data connection that can be slow or cut."""

    def __init__(self, sock: Any, cmd_channel: Any) -> None:
        switches = cmd_channel.standin.switches
        self.read_limit = switches.slow
        if switches.drops:
            self.ac_in_buffer_size = _SMALL_READ
        super().__init__(sock, cmd_channel)

    def recv(self, buffer_size: int) -> bytes:
        chunk: bytes = super().recv(buffer_size)
        switches = self.cmd_channel.standin.switches
        if switches.drops and self.tot_bytes_received + len(chunk) >= switches.drop_after:
            switches.drops -= 1
            self.ioloop.call_later(0, self.cmd_channel.close)
        return chunk


class _SecureData(_Data, TLS_DTPHandler):  # type: ignore[misc]
    """The same with TLS."""


class _Control(FTPHandler):  # type: ignore[misc]
    """A control connection that tells its stand-in what came, and refuses on command."""

    standin: FtpStandin
    dtp_handler = _Data
    auth_failed_timeout = 0.05
    banner = "stand-in"
    use_sendfile = False

    def pre_process_command(self, line: str, cmd: str, arg: str) -> None:
        """Late, if it is to be slow: a client waits for each answer, so commands stay in order."""
        delay_s = self.standin.switches.delay_s
        if delay_s:
            self.ioloop.call_later(delay_s, self._late, line, cmd, arg)
        else:
            super().pre_process_command(line, cmd, arg)

    def _late(self, line: str, cmd: str, arg: str) -> None:
        if not self._closed:
            super().pre_process_command(line, cmd, arg)

    def ftp_STOR(self, file: str, mode: str = "w") -> Any:
        switches = self.standin.switches
        if switches.disk_full or switches.refuse_files:
            self.respond("452 Insufficient storage space." if switches.disk_full else "553 File name not allowed.")
            return None
        return super().ftp_STOR(file, mode)

    def ftp_RNTO(self, path: str) -> Any:
        renamed = super().ftp_RNTO(path)
        if renamed:
            self._arrived(path)
        return renamed

    def on_file_received(self, file: str) -> None:
        if not file.endswith(".part"):
            self._arrived(file)

    def _arrived(self, path: str) -> None:
        self.standin.arrived(Path(path).resolve(), self.remote_ip, bool(getattr(self, "_ssl_established", False)))


class _SecureControl(_Control, TLS_FTPHandler):  # type: ignore[misc]
    """The same with AUTH TLS."""

    dtp_handler = _SecureData


def _handler(standin: FtpStandin) -> type:
    """pyftpdlib takes a class per server."""
    switches = standin.switches
    own = {"standin": standin, "authorizer": _Login(standin)}
    if not switches.cert:
        return type("Control", (_Control,), own)
    tls = {"certfile": switches.cert, "keyfile": switches.key or switches.cert, "ssl_context": None}
    demanded = dict.fromkeys(("tls_control_required", "tls_data_required"), switches.require_tls)
    return type("Control", (_SecureControl,), own | tls | demanded)


def _quiet() -> None:
    """pyftpdlib logs to the terminal unless somebody else listens to its log."""
    log = logging.getLogger("pyftpdlib")
    log.propagate = False
    if not log.handlers:
        log.addHandler(logging.NullHandler())


async def serve(
    listen: str,
    out: Out,
    switches: FtpSwitches | None = None,
    folder: str = "",
    started: Callable[[int], None] | None = None,
) -> None:
    """Run a stand-in until cancelled; `started` is told the port. Raises OSError if it cannot listen there."""
    standin = FtpStandin(listen, out, LoopClock(), switches, folder)
    await until_cancelled(standin.start, standin.aclose, started)
