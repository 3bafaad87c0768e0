"""Files on their way to a station's FTP servers: each try noted, failures said by who must wait, and commissioning."""

from collections.abc import Sequence

from tocsin.destinations.trace import ANSWER_LIMIT, excerpt, masked
from tocsin.destinations.uploading.settings import FtpSettings
from tocsin.engine.contracts import Attempt, CheckStep
from tocsin.transports.contract import LinkBroken, NoAnswer, TransportError, Unreachable
from tocsin.transports.ftp import FtpPool, Progress, Stored, Try
from tocsin.transports.ftp_entry import FileSet, Log, Target, UploadRefused

_LISTED = 4096
_IN_CLEAR = "tls.mode = off: password and pictures travel unencrypted"
_UNCHECKED = "tls.insecure: the certificate was NOT checked"


class Uploads:
    """The FTP servers of one destination."""

    def __init__(self, settings: FtpSettings) -> None:
        self._settings = settings
        self._pool = FtpPool(settings.endpoints(), settings.options())
        self._secrets = [settings.password.reveal()]
        self._last = str(settings.endpoints()[0])

    async def store(self, files: FileSet, attempt: Attempt, progress: Progress, note: str = "") -> Stored:
        """The whole set on one host. Each try becomes an exchange of the attempt. Raises NotStored."""
        sent = self.masked(shown(files))

        def noted(one: Try) -> None:
            self._last = str(one.target)
            answer = self.masked(_dialogue(one.log))
            remark = self.masked(". ".join(part for part in (str(one.error or ""), note) if part))
            attempt.exchanged(str(one.target), _result(one.error), sent, answer, remark)

        return await self._pool.store(files, noted, progress)

    def masked(self, text: str) -> str:
        """Without the password, which a server may repeat."""
        return masked(text, self._secrets)

    def hosts_in_use(self) -> str:
        return self._last

    async def check(self, folder: str) -> list[CheckStep]:
        """Every address of every host: connection, TLS, login, folder and a data connection. Nothing is stored."""
        steps: list[CheckStep] = []
        for host in dict.fromkeys(self._settings.endpoints()):
            try:
                targets = await self._pool.targets(host)
            except Unreachable as error:
                return [*steps, CheckStep(f"connect to {host}", False, str(error))]
            for target in targets:
                steps += await self._check(target, folder)
                if not steps[-1].ok:
                    return steps
        return steps

    async def probe(self, attempt: Attempt) -> str:
        """Whether any host lets us in; the host. Raises Unreachable with the reasons."""
        failures = []
        for host in dict.fromkeys(self._settings.endpoints()):
            try:
                for target in await self._pool.targets(host):
                    return await self._probe(target, attempt)
            except Unreachable as error:
                failures.append(str(error))
        raise Unreachable("; ".join(failures))

    async def aclose(self) -> None:
        await self._pool.aclose()

    async def _probe(self, target: Target, attempt: Attempt) -> str:
        log: Log = []
        try:
            await self._pool.try_login(target, log)
        except Unreachable as error:
            attempt.exchanged(str(target), "unreachable", "", self.masked(_dialogue(log)), self.masked(str(error)))
            raise
        attempt.exchanged(str(target), "delivered", "", self.masked(_dialogue(log)))
        return str(target)

    async def _check(self, target: Target, folder: str) -> list[CheckStep]:
        tls = self._settings.tls
        missing: TransportError | None = None
        try:
            refused = await self._pool.try_folder(target, folder, [])
            if isinstance(refused, UploadRefused) and self._settings.create_dirs:
                missing, refused = refused, await self._pool.try_folder(target, "", [])
        except Unreachable as error:
            return [CheckStep(f"connect and log in at {target}", False, self.masked(str(error)))]
        hint = _IN_CLEAR if tls.mode == "off" else _UNCHECKED if tls.insecure else ""
        steps = [CheckStep(f"connect and log in at {target}", True, f"user {self._settings.user}", hint)]
        what = f"folder {folder or 'of the login'} at {target}"
        if isinstance(refused, UploadRefused):
            return [*steps, CheckStep(what, False, self.masked(str(refused)))]
        if refused is not None:
            hint = "Check the server's passive ports and the firewall"
            return [*steps, CheckStep(what, False, self.masked(str(refused)), hint)]
        if missing is not None:
            hint = "Missing folders are made with the first upload (create_dirs)"
            return [*steps, CheckStep(what, True, "it is not there; a data connection works, nothing was stored", hint)]
        return [*steps, CheckStep(what, True, "listed over a data connection; nothing was stored")]


def shown(files: FileSet) -> str:
    """What goes out, for the trace: names and sizes, and the texts."""
    lines = [f"{file.path} ({len(file.data)} bytes)" for file in files.files]
    texts = [excerpt(file.data, _LISTED) for file in files.files if file.path.endswith(".txt")]
    return "\n".join([*lines, *texts])


def _dialogue(log: Sequence[str]) -> str:
    text = "".join(f"{line}\n" for line in log)
    return excerpt(text.encode("utf-8", "replace"), ANSWER_LIMIT).replace("<LF>", "")


def _result(error: TransportError | None) -> str:
    if error is None:
        return "delivered"
    words = ((NoAnswer, "silent"), (LinkBroken, "broken"), (Unreachable, "unreachable"), (UploadRefused, "refused"))
    return next((word for kind, word in words if isinstance(error, kind)), "retry")
