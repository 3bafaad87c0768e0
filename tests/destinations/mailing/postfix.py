"""A real Postfix of its own: configuration, queue and port of its own, STARTTLS and a login, mail into one maildir."""

import asyncio
import contextlib
import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.ports import free_port

MASTER = Path("/usr/lib/postfix/sbin/master")
USER, PASSWORD = "gateway", "a-password-with-16"
DEADLINE_S = 20.0

MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
mail_spool_directory = {folder}/spool
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mail.example.net
mydestination =
mynetworks =
alias_maps =
alias_database =
relay_domains =
message_size_limit = {size_limit}
smtpd_tls_security_level = encrypt
smtpd_tls_auth_only = yes
smtpd_tls_chain_files = {certificate}
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = cyrus
smtpd_sasl_path = smtpd
smtpd_sasl_local_domain = mail.example.net
smtpd_recipient_restrictions = permit_sasl_authenticated, reject
smtpd_relay_restrictions = permit_sasl_authenticated, reject
virtual_mailbox_domains = static:all
virtual_mailbox_maps = static:inbox/
virtual_mailbox_base = {folder}/mail
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_transport = virtual
local_recipient_maps =
"""
SERVICES = """
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - 1 virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""
SASL = """
pwcheck_method: auxprop
auxprop_plugin: sasldb
sasldb_path: {folder}/sasldb2
mech_list: PLAIN LOGIN
"""


def why_not() -> str:
    """Why it cannot be started here; empty when it can."""
    if not MASTER.exists() or shutil.which("saslpasswd2") is None:
        return "Debian's postfix and sasl2-bin are not installed"
    return "" if os.geteuid() == 0 else "Postfix changes users, which needs root"


class Postfix:
    """`port` on loopback; `mail` waits for so many messages and gives their bytes, oldest first."""

    def __init__(self, folder: Path, port: int) -> None:
        self.port = port
        self.log = folder / "log"
        self._inbox = folder / "mail" / "inbox" / "new"

    async def mail(self, count: int) -> list[bytes]:
        async with asyncio.timeout(DEADLINE_S):
            while len(self._files()) < count:
                await asyncio.sleep(0.02)
        return [file.read_bytes() for file in self._files()]

    def connections(self) -> int:
        return self.log.read_text().count(": connect from ")

    def _files(self) -> list[Path]:
        found = self._inbox.glob("*") if self._inbox.exists() else ()
        return sorted(found, key=lambda file: (file.stat().st_mtime_ns, file.name))


@contextlib.asynccontextmanager
async def running(certificate: Path, size_limit: int = 10_000_000) -> AsyncIterator[Postfix]:
    """Started here, and stopped by its own process group."""
    with TemporaryDirectory(prefix="tocsin-postfix-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        port = free_port()
        _configured(folder, port, certificate, size_limit)
        process = subprocess.Popen([MASTER, "-d", "-c", folder / "etc"], start_new_session=True)
        try:
            await _answering(port, process)
            yield Postfix(folder, port)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            await asyncio.to_thread(process.wait, DEADLINE_S)


def _configured(folder: Path, port: int, certificate: Path, size_limit: int) -> None:
    """Postfix's own users must be able to go through the folder; Debian's looks for SASL's file beside main.cf."""
    folder.chmod(0o755)
    for part in ("etc", "queue", "data", "mail", "etc/sasl", "spool"):
        (folder / part).mkdir()
    owner, reader = pwd.getpwnam("postfix"), pwd.getpwnam("nobody")
    os.chown(folder / "data", owner.pw_uid, owner.pw_gid)
    os.chown(folder / "mail", reader.pw_uid, reader.pw_gid)
    copied = folder / "certificate.pem"
    shutil.copy(certificate, copied)
    values = {
        "folder": folder, "port": port, "certificate": copied, "size_limit": size_limit, "uid": reader.pw_uid,
        "gid": reader.pw_gid,
    }  # fmt: skip
    (folder / "etc" / "main.cf").write_text(MAIN.format(**values))
    (folder / "etc" / "master.cf").write_text(SERVICES.format(**values))
    (folder / "etc" / "sasl" / "smtpd.conf").write_text(SASL.format(**values))
    _run("saslpasswd2", "-p", "-c", "-f", folder / "sasldb2", "-u", "mail.example.net", USER, said=PASSWORD)
    os.chown(folder / "sasldb2", owner.pw_uid, owner.pw_gid)
    _run("postfix", "-c", folder / "etc", "check")


def _run(*command: object, said: str = "") -> None:
    done = subprocess.run(list(map(str, command)), input=said, text=True, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


async def _answering(port: int, process: subprocess.Popen[bytes]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while True:
            assert process.poll() is None, "postfix has ended"
            with contextlib.suppress(OSError):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                greeting = await reader.readline()
                writer.close()
                await writer.wait_closed()
                assert greeting.startswith(b"220 ")
                return
            await asyncio.sleep(0.02)
