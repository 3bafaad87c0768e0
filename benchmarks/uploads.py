"""Uploads by FTPES to Debian's vsftpd: the pool against curl with one kept connection, both by temporary name."""

import asyncio
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import trustme
import uvloop
from tests.ftpd import PASSWORD, USER, Ftpd, vsftpd, why_not

from benchmarks.figure import Figure, new_folder
from tocsin.config.listening import split_listen
from tocsin.transports.contract import Endpoint, TlsOptions
from tocsin.transports.ftp import FtpPool
from tocsin.transports.ftp_entry import File, FileSet, FtpOptions

COUNT, SIZE, PAIRS = 200, 15_000, 5


def uploads() -> Iterator[Figure]:
    """Pictures of 15 kB a second, four connections. TLS 1.2: curl's sessions are not resumed by vsftpd in 1.3."""
    if why_not("vsftpd"):
        print(f"uploads: not measured, {why_not('vsftpd')}")
        return
    folder = new_folder()
    cert, ca = _certificates(folder)
    pairs: list[tuple[float, float]] = []
    with vsftpd(folder, (cert, cert), "TLSv1.2") as server:
        for n in range(PAIRS + 1):
            pairs.append((_pool(server, ca, n), _curl(server, ca, n)))
        assert len([name for name in server.names() if name.endswith(".jpg")]) == 2 * COUNT * (PAIRS + 1)
    ours, theirs = zip(*pairs[1:], strict=True)
    ratios = sorted(mine / other for mine, other in pairs[1:])
    yield Figure(
        "FTPES uploads of 15 kB, pool of 4",
        ratios[len(ratios) // 2],
        "x",
        1.0,
        f"{sorted(ours)[len(ours) // 2]:.0f}/s",
        f"curl, one kept connection {sorted(theirs)[len(theirs) // 2]:.0f}/s",
    )


def _certificates(folder: Path) -> tuple[str, str]:
    authority = trustme.CA()
    leaf = authority.issue_cert("127.0.0.1", key_type=trustme.KeyType.RSA)
    leaf.private_key_and_cert_chain_pem.write_to_path(str(folder / "pair.pem"))
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    return str(folder / "pair.pem"), str(folder / "ca.pem")


def _pool(server: Ftpd, ca: str, n: int) -> float:
    async def run() -> float:
        pool = FtpPool(
            [Endpoint(*split_listen(server.host))],
            FtpOptions(USER, PASSWORD, tls=TlsOptions(ca_file=ca), connections=4),
        )
        data = b"\xff\xd8" * (SIZE // 2)
        began = time.perf_counter()
        await asyncio.gather(
            *(pool.store(FileSet((File(f"in/ours-{n}-{k}.jpg", data),)), lambda _: None) for k in range(COUNT))
        )
        seconds = time.perf_counter() - began
        await pool.aclose()
        return COUNT / seconds

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run())


def _curl(server: Ftpd, ca: str, n: int) -> float:
    """All uploads in one call, so that the connection is kept; renamed by commands after each."""
    picture = server.root.parent / "picture"
    picture.write_bytes(b"\xff\xd8" * (SIZE // 2))
    orders = [
        f'upload-file = "{picture}"\nurl = "ftp://{server.host}/in/curl-{n}-{k}.jpg.part"\nuser = "{USER}:{PASSWORD}"\n'
        f'quote = "-RNFR curl-{n}-{k}.jpg.part"\nquote = "-RNTO curl-{n}-{k}.jpg"\nssl-reqd\n'
        f'cacert = "{ca}"\nsilent\nshow-error\n'
        for k in range(COUNT)
    ]
    (server.root.parent / "orders").write_text("next\n".join(orders))
    began = time.perf_counter()
    subprocess.run(["curl", "--config", str(server.root.parent / "orders")], check=True, capture_output=True)
    return COUNT / (time.perf_counter() - began)
