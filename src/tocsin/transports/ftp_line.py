"""One FTP connection, blocking, for one thread at a time; `give_up` may be called from any other and wakes it."""

import contextlib
import ftplib
import selectors
import socket
import ssl
import threading
import time
from collections.abc import Callable

from tocsin.protocols.text import one_line
from tocsin.transports.contract import TlsOptions, Unreachable
from tocsin.transports.ftp_entry import FileSet, FtpOptions, Log, LoginRefused, Target
from tocsin.transports.tls import check_pin, client_context, explain, server_name

TEMPORARY = ".part"
LONGEST_ANSWER = 100
CLOSE_DEADLINE_S = 2.0
SESSION_MARGIN_S = 30.0
_TAKEN = frozenset({"550", "553"})


class FtpLine(ftplib.FTP):
    """What the standard library lacks: TLS sessions resumed on data connections, which strict servers demand; EPSV
    before PASV; bounded answers; a log; and an end that comes at once.
    """

    def __init__(self, target: Target, options: FtpOptions) -> None:
        super().__init__(timeout=options.timeout_s)
        self.target = target
        self.log: Log = []
        self.used_at = 0.0
        self._options = options
        self._context: ssl.SSLContext | None = None
        self._home = "/"
        self._inside: str | None = None
        self._extended_passive = True
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self._aborted = False

    # Opening

    def open(self) -> None:
        """Connect, encrypt as asked for, log in. Raises Unreachable, LoginRefused, TlsFileError, OSError, EOFError,
        ftplib.Error.
        """
        self._begin(self._options.tls)
        self._log_in()
        self.voidcmd("TYPE I")
        self._home = self.pwd() or "/"

    def shown_certificate(self) -> bytes:
        """The certificate (DER) the server shows, trusted or not; nothing is sent after it."""
        self._begin(TlsOptions(insecure=True, server_name=self._options.tls.server_name))
        return (self.sock.getpeercert(binary_form=True) if isinstance(self.sock, ssl.SSLSocket) else b"") or b""

    def _begin(self, tls: TlsOptions) -> None:
        mode = self._options.mode
        if mode != "off":
            self._context = client_context(tls)
        sock = self._dial(self.target.address, self.target.endpoint.port)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._speak_over(self._secured(sock, tls) if mode == "implicit" else sock)
        greeting = self.voidresp()
        self.welcome = greeting
        if mode in ("required", "opportunistic") and self._offers_tls():
            assert self.sock is not None
            self._speak_over(self._secured(self.sock, tls))
        if isinstance(self.sock, ssl.SSLSocket):
            self.voidcmd("PBSZ 0")
            self.voidcmd("PROT P")

    def _offers_tls(self) -> bool:
        try:
            self.voidcmd("AUTH TLS")
        except ftplib.error_perm as refused:
            if self._options.mode == "opportunistic":
                return False
            said = one_line(str(refused))
            raise Unreachable(
                f"{self.target} does not offer TLS (AUTH TLS: {said}), so no password was sent. Ask the "
                'station to enable it, or set tls.mode ("implicit" for TLS from the first byte, "off" for none at all)'
            ) from refused
        return True

    def _log_in(self) -> None:
        options = self._options
        try:
            self.login(options.user, options.password)
        except (ftplib.error_perm, ftplib.error_reply) as refused:
            said = one_line(str(refused)).rstrip(".")
            raise LoginRefused(
                f"{self.target} refuses the user {options.user} or its password: {said}. Check user and "
                "password, and whether the server wants TLS (tls.mode)"
            ) from refused

    def _speak_over(self, sock: socket.socket) -> None:
        """What was received before TLS started is dropped with the old reader."""
        if self.file is not None:
            self.file.close()
        self.sock, self.af = sock, sock.family
        self.file = sock.makefile("r", encoding="utf-8", errors="replace", newline="\n")

    # Sockets

    def _dial(self, address: str, port: int) -> socket.socket:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        sock = self._watched(socket.socket(family, socket.SOCK_STREAM))
        try:
            sock.settimeout(self._options.connect_timeout_s)
            sock.connect((address, port))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(self._options.timeout_s)
        except OSError:
            self._let_go(sock)
            raise
        return sock

    def _secured(self, sock: socket.socket, tls: TlsOptions, session: ssl.SSLSession | None = None) -> ssl.SSLSocket:
        assert self._context is not None
        endpoint = self.target.endpoint
        with self._lock:
            self._sockets.discard(sock)
        wrapped = self._context.wrap_socket(
            sock, server_hostname=server_name(tls, endpoint), session=session, do_handshake_on_connect=False
        )
        self._watched(wrapped)
        try:
            wrapped.do_handshake()
            check_pin(wrapped.getpeercert(binary_form=True), tls.pin, endpoint)
        except (OSError, Unreachable):
            self._let_go(wrapped)
            raise
        return wrapped

    def _watched(self, sock: socket.socket) -> socket.socket:
        with self._lock:
            if not self._aborted:
                self._sockets.add(sock)
                return sock
        sock.close()
        raise ConnectionAbortedError("given up")

    def _let_go(self, sock: socket.socket) -> None:
        with self._lock:
            self._sockets.discard(sock)
            sock.close()

    def give_up(self) -> None:
        """End every wait of the thread that uses this connection, at once; nothing more goes out."""
        with self._lock:
            self._aborted = True
            for sock in self._sockets:
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(sock, socket.SHUT_RDWR)  # not SSLSocket's, which would let clear text pass

    def end(self) -> None:
        """Give everything back; to be called when no thread uses the connection."""
        with contextlib.suppress(OSError):
            self.close()
        with self._lock:
            self._aborted = True
            for sock in self._sockets:
                sock.close()
            self._sockets.clear()

    def leave(self) -> None:
        """Say goodbye; raises what a dead connection raises."""
        if self.sock is not None:
            self.sock.settimeout(CLOSE_DEADLINE_S)
            self.voidcmd("QUIT")

    def stale(self) -> bool:
        """The server has hung up or spoken out of turn, or its TLS session is too old to be resumed."""
        sock = self.sock
        if sock is None or _ready(sock, selectors.EVENT_READ, 0):
            return True
        session = sock.session if isinstance(sock, ssl.SSLSocket) else None
        if session is None:
            return False
        lifetime = min(session.timeout, session.ticket_lifetime_hint or session.timeout)
        return bool(time.time() > session.time + lifetime - SESSION_MARGIN_S)

    # Dialogue

    def putcmd(self, line: str) -> None:
        self.log.append("C: PASS ***" if line.startswith("PASS ") else f"C: {line}")
        super().putcmd(line)

    def getmultiline(self) -> str:
        first = text = self.getline()
        lines = 1
        while first[3:4] == "-" and not (text[:3] == first[:3] and text[3:4] != "-"):
            text = self.getline()
            lines += 1
            if lines > LONGEST_ANSWER:
                raise ftplib.error_proto("an answer without end")
        answer = first if lines == 1 else f"{text[:3]} {first[4:]}"
        self.log.append(f"S: {one_line(answer)}")
        return answer

    def makepasv(self) -> tuple[str, int]:
        """The data connection goes where the control connection does: an address in PASV is ignored, it is often one
        that only the server's own network knows.
        """
        assert self.sock is not None
        peer = self.sock.getpeername()
        if self._extended_passive:
            try:
                return peer[0], _port(self.sendcmd("EPSV"), lambda answer: ftplib.parse229(answer, peer))
            except ftplib.error_perm:
                if self.af == socket.AF_INET6:
                    raise
                self._extended_passive = False
        return peer[0], _port(self.sendcmd("PASV"), ftplib.parse227)

    def ntransfercmd(self, cmd: str, rest: int | str | None = None) -> tuple[socket.socket, int | None]:
        conn = self._dial(*self.makepasv())
        try:
            answer = self.sendcmd(cmd)
            if answer[0] != "1":
                raise ftplib.error_reply(answer)
        except (OSError, EOFError, ftplib.Error):
            self._let_go(conn)
            raise
        if isinstance(self.sock, ssl.SSLSocket):
            try:
                conn = self._secured(conn, self._options.tls, self.sock.session)
            except OSError as refused:
                raise self._reason(refused) from refused
        return conn, None

    # Files

    def store(self, files: FileSet, done: set[str]) -> str:
        """Bring the files that are not `done` yet, in order, adding each; the last answer."""
        answer = "everything was there already"
        for file in files.files:
            if file.path not in done:
                self.enter_folder(file.folder, files.create_folders)
                answer = self._place(file.name, file.data, files.rename)
                done.add(file.path)
        return answer

    def enter_folder(self, folder: str, create: bool) -> None:
        """Change to a folder given from the login's own; with `create` make what is missing."""
        if folder == self._inside:
            return
        path = folder if folder.startswith("/") else f"{self._home.rstrip('/')}/{folder}".rstrip("/")
        self._inside = None
        try:
            self.cwd(path or "/")
        except ftplib.error_perm:
            if not create:
                raise
            self._make(path)
            self.cwd(path)
        self._inside = folder

    def look(self) -> int:
        """List the folder, dropping what comes: proves that data connections work. Bytes read."""
        conn = self.transfercmd("NLST")
        size = 0
        try:
            while size < 1_000_000 and (data := conn.recv(65536)):
                size += len(data)
            _end_sending(conn)
        finally:
            self._let_go(conn)
        self.voidresp()
        return size

    def _make(self, path: str) -> None:
        parts = path.split("/")
        for depth in range(1, len(parts) + 1):
            level = "/".join(parts[:depth])
            if level and level != self._home:
                with contextlib.suppress(ftplib.error_perm):
                    self.mkd(level)

    def _place(self, name: str, data: bytes, rename: bool) -> str:
        temporary = name + TEMPORARY if rename else name
        answer = self._overwriting(temporary, lambda: self._put(temporary, data))
        return self._overwriting(name, lambda: self.rename(temporary, name)) if rename else answer

    def _overwriting(self, name: str, work: Callable[[], str]) -> str:
        """Some servers refuse to overwrite what an attempt before has left; then that is removed first."""
        try:
            return work()
        except ftplib.error_perm as refused:
            if str(refused)[:3] not in _TAKEN:
                raise
            try:
                self.delete(name)
            except ftplib.Error:
                raise refused from None
            return work()

    def _put(self, name: str, data: bytes) -> str:
        conn = self.transfercmd(f"STOR {name}")
        try:
            conn.sendall(data)
            _end_sending(conn)
        except OSError as cut:
            self._let_go(conn)
            raise self._reason(cut) from cut
        try:
            return self.voidresp()
        finally:
            self._let_go(conn)

    def _reason(self, cut: OSError) -> Exception:
        """If the server ended a data connection, its answer says why."""
        try:
            self.voidresp()
        except ftplib.Error as answer:
            return answer
        except (OSError, EOFError):
            return cut
        return ConnectionAbortedError(f"the data connection was cut: {explain(cut, self.target.endpoint)}")


def _port(answer: str, parse: Callable[[str], tuple[str, int]]) -> int:
    with contextlib.suppress(ValueError):
        port = parse(answer)[1]
        if 0 < port < 65536:
            return port
    raise ftplib.error_proto(f"no port in {one_line(answer)}")


def _end_sending(conn: socket.socket) -> None:
    """TLS's closing message and the end of the stream, without waiting for the same from the other side: some servers
    never send theirs. The connection is closed after the server's answer, not before: closing with its session tickets
    unread would reset it under the data.
    """
    if isinstance(conn, ssl.SSLSocket):
        conn.settimeout(0)
        _notify(conn)
    with contextlib.suppress(OSError):
        socket.socket.shutdown(conn, socket.SHUT_WR)


def _notify(conn: ssl.SSLSocket) -> None:
    deadline = time.monotonic() + CLOSE_DEADLINE_S
    while (left := deadline - time.monotonic()) > 0:
        try:
            conn.unwrap()
        except ssl.SSLWantWriteError:
            _ready(conn, selectors.EVENT_WRITE, left)
        except (OSError, ValueError):  # SSLWantReadError: it is out
            return
        else:
            return


def _ready(sock: socket.socket, event: int, seconds: float) -> bool:
    with selectors.DefaultSelector() as selector:
        selector.register(sock, event)
        return bool(selector.select(seconds))
