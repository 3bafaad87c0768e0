"""Real FTP servers on loopback, each with its usual TLS settings: vsftpd and ProFTPD from Debian, pyftpdlib.

The first two come from the cache that tests/servers.py fills. They are started by their own configuration and stopped
by their own id.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from msgspec import Struct
from tests.ports import free_port
from tests.servers import CACHE, program_of

USER = "ftp"
PASSWORD = "a-very-secret-word"
OWNER = "daemon"
"""Of the files; a user that Debian always has, with a home that exists."""
Tls = Literal["", "TLSv1.2", "TLSv1.3"]


class Ftpd(Struct):
    """A running server: files put into `folder` on it appear in `root`/`folder`. `log` is what it noted."""

    host: str
    root: Path
    folder: str
    process: "subprocess.Popen[bytes]"
    log: Path

    @property
    def inbox(self) -> Path:
        return self.root / self.folder

    def names(self, below: str = "") -> list[str]:
        return sorted(path.name for path in (self.inbox / below).iterdir())

    def stop(self) -> None:
        """The server and everything it forked; its sessions are sessions of their own."""
        forked = _below(self.process.pid)
        self.process.kill()
        self.process.wait(10)
        for pid in forked:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _below(pid: int) -> list[int]:
    """The ids of what a process has started, and of what these have."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            number, _, rest = stat.read_text().partition(" (")
            parents[int(number)] = int(rest.rpartition(") ")[2].split()[1])
    found = [pid]
    for parent in found:
        found += [child for child, its in parents.items() if its == parent]
    return found[1:]


def why_not(name: str) -> str:
    """Why a server cannot be started here; empty if it can."""
    if not program_of(name).exists():
        return f"Debian's package {name} could not be unpacked (tests/servers.py)"
    return "" if os.geteuid() == 0 else f"{name} is started as root"


def needs(name: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(bool(why_not(name)), reason=why_not(name))


@contextlib.contextmanager
def vsftpd(
    folder: Path,
    cert: tuple[str, str] | None,
    tls: Tls = "",
    port: int = 0,
    address: str = "127.0.0.1",
    implicit: bool = False,
) -> Iterator[Ftpd]:
    """With `cert` it demands TLS and, as it does by itself, that data connections resume the session."""
    root, port = _folders(folder), port or free_port()
    (folder / "passwords").write_text(f"{PASSWORD}\n")
    secure = (
        f"ssl_enable=YES\nallow_anon_ssl=YES\nforce_anon_logins_ssl=YES\nforce_anon_data_ssl=YES\n"
        f"rsa_cert_file={cert[0]}\nrsa_private_key_file={cert[1]}\n"
        if cert
        else ""
    )
    secure += "implicit_ssl=YES\n" if implicit else ""
    (folder / "vsftpd.conf").write_text(
        f"listen=YES\nlisten_address={address}\nlisten_port={port}\nbackground=NO\nanonymous_enable=YES\n"
        f"local_enable=NO\nwrite_enable=YES\nanon_upload_enable=YES\nanon_mkdir_write_enable=YES\n"
        f"anon_other_write_enable=YES\nanon_umask=022\nanon_root={root}\nftp_username={OWNER}\n"
        f"secure_email_list_enable=YES\nemail_password_file={folder}/passwords\nsecure_chroot_dir={folder}/empty\n"
        f"vsftpd_log_file={folder}/log\nlog_ftp_protocol=YES\nxferlog_enable=YES\nxferlog_std_format=NO\n{secure}"
    )
    with _running("vsftpd", [str(folder / "vsftpd.conf")], folder, (address, port), tls) as process:
        yield Ftpd(f"{address}:{port}", root, "in", process, folder / "log")


@contextlib.contextmanager
def proftpd(
    folder: Path, cert: tuple[str, str] | None, tls: Tls = "", port: int = 0, client_ca: str = ""
) -> Iterator[Ftpd]:
    """With `cert` it demands TLS and, as it does by itself, that data connections resume the session; with `client_ca`
    a certificate of every client too.
    """
    root, port = _folders(folder), port or free_port()
    modules = CACHE / "proftpd" / "usr" / "lib" / "proftpd"
    users = folder / "users"
    users.write_text(f"{USER}:{_crypted(PASSWORD)}:1:1::{root}:/bin/false\n")
    users.chmod(0o600)
    secure = (
        f"LoadModule mod_tls.c\nTLSEngine on\nTLSRequired on\nTLSLog {folder}/log\n"
        f"TLSRSACertificateFile {cert[0]}\nTLSRSACertificateKeyFile {cert[1]}\n"
        + (f"TLSProtocol {tls}\n" if tls else "")
        if cert
        else ""
    )
    secure += f"TLSCACertificateFile {client_ca}\nTLSVerifyClient on\n" if client_ca else ""
    (folder / "proftpd.conf").write_text(
        f"ModulePath {modules}\nServerType standalone\nServerName t\nUseIPv6 off\nDefaultAddress 127.0.0.1\n"
        f"Port {port}\nUser nobody\nGroup nogroup\nUmask 022\nAllowOverwrite on\nAuthOrder mod_auth_file.c\n"
        f"AuthUserFile {users}\nRequireValidShell off\nUseFtpUsers off\nDefaultRoot {root}\nWtmpLog off\n"
        f"PidFile {folder}/pid\nScoreboardFile {folder}/scoreboard\nDelayTable {folder}/delay\n"
        f"SystemLog {folder}/system.log\nTransferLog none\n{secure}"
    )
    arguments = ["-n", "-q", "-c", str(folder / "proftpd.conf")]
    with _running("proftpd", arguments, folder, ("127.0.0.1", port), tls) as process:
        yield Ftpd(f"127.0.0.1:{port}", root, "in", process, folder / "system.log")


def _folders(folder: Path) -> Path:
    """A root that only root may write to, as both servers want it, and in it the inbox; reachable for others."""
    root = folder / "root"
    (root / "in").mkdir(parents=True, exist_ok=True)
    (folder / "empty").mkdir(exist_ok=True)
    shutil.chown(root / "in", OWNER)
    for path in (folder, *folder.parents):
        if path.owner() == "root" and path != Path("/"):
            path.chmod(path.stat().st_mode | 0o011)
    return root


def _crypted(password: str) -> str:
    """As crypt(3) with SHA-512 writes it."""
    done = subprocess.run(["openssl", "passwd", "-6", password], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@contextlib.contextmanager
def _running(
    name: str, arguments: list[str], folder: Path, where: tuple[str, int], tls: str
) -> "Iterator[subprocess.Popen[bytes]]":
    libraries = CACHE / name
    environment = {
        "PATH": os.environ["PATH"],
        "LD_LIBRARY_PATH": ":".join(str(path.parent) for path in sorted(libraries.rglob("lib*.so.*"))),
    }
    if tls:
        versions = folder / "openssl.cnf"
        versions.write_text(
            f"openssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n[c]\nMinProtocol = {tls}\n"
            f"MaxProtocol = {tls}\n"
        )
        environment["OPENSSL_CONF"] = str(versions)
    with (folder / "printed").open("wb") as printed:
        process = subprocess.Popen(
            [str(program_of(name)), *arguments],
            env=environment, stdout=printed, stderr=printed,
        )  # fmt: skip
    server = Ftpd("", folder, "", process, folder / "printed")
    try:
        _until_listening(process, where, folder / "printed")
        yield process
    finally:
        server.stop()


def _until_listening(process: "subprocess.Popen[bytes]", where: tuple[str, int], printed: Path) -> None:
    deadline = time.monotonic() + 20
    while True:
        assert process.poll() is None, printed.read_text()
        with contextlib.suppress(ConnectionRefusedError), socket.create_connection(where, 5):
            return
        assert time.monotonic() < deadline, printed.read_text()
        time.sleep(0.02)
