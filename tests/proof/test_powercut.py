"""The power-cut file system tells durable from not durable: otherwise no claim made with it is worth anything."""

import contextlib
import errno
import os
import random
import select
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest
from harness.disk import Disk, Faults, File, Folder
from harness.powercut import PowerCut, unavailable

needs_fuse = pytest.mark.skipif(bool(unavailable()), reason=unavailable())

WRITER = textwrap.dedent("""
    import sys, apsw
    connection = apsw.Connection(sys.argv[1])
    connection.pragma("journal_mode", "wal")
    connection.pragma("synchronous", sys.argv[2])
    connection.execute("create table if not exists rows(n integer primary key, filler blob)")
    first = connection.execute("select coalesce(max(n), 0) from rows").get
    n = first
    while True:
        n += 1
        connection.execute("insert into rows values(?, zeroblob(400))", (n,))
        sys.stdout.write(f"{n}\\n")
        sys.stdout.flush()
""")


@pytest.fixture
def power(tmp_path: Path) -> Iterator[PowerCut]:
    with PowerCut(tmp_path) as mounted:
        yield mounted
    assert not os.path.ismount(tmp_path / "mount")


def rows_after_a_cut(power: PowerCut, synchronous: str, faults: Faults) -> tuple[int, int]:
    """(acknowledged, kept) of a SQLite writer whose power is cut."""
    power.inject(faults)
    database = power.mount_point / "rows.db"
    writer = subprocess.run(
        [sys.executable, "-c", WRITER, str(database), synchronous],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert writer.returncode != 0, "the cut must have stopped the writer"
    acknowledged = int(([0, *writer.stdout.split()])[-1])
    power.restore()
    return acknowledged, kept_rows(database)


def kept_rows(database: Path) -> int:
    try:
        with contextlib.closing(apsw.Connection(str(database), apsw.SQLITE_OPEN_READWRITE)) as connection:
            assert connection.pragma("integrity_check") == "ok"
            return int(connection.execute("select count(*) from rows").get)
    except (apsw.CantOpenError, apsw.SQLError):
        return 0  # not even the database, or the table, was on disk


@needs_fuse
@pytest.mark.parametrize("torn", [False, True])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_full_keeps_every_acknowledged_row(power: PowerCut, seed: int, torn: bool) -> None:
    faults = Faults(seed=seed, torn=torn, cut_at=random.Random(seed).randint(10, 6000))
    acknowledged, kept = rows_after_a_cut(power, "full", faults)
    assert kept >= acknowledged
    assert kept <= acknowledged + 1


@needs_fuse
@pytest.mark.prove
@pytest.mark.timeout(1200)
def test_full_keeps_every_acknowledged_row_in_fifty_cuts(power: PowerCut) -> None:
    for seed in range(50):
        faults = Faults(seed=seed, torn=seed % 2 == 0, cut_at=random.Random(seed).randint(10, 20000))
        acknowledged, kept = rows_after_a_cut(power, "full", faults)
        print(f"seed {seed}: {acknowledged} rows acknowledged, {kept} kept")
        assert kept >= acknowledged, f"seed {seed}"


@needs_fuse
@pytest.mark.parametrize("synchronous", ["normal", "off"])
def test_less_than_full_loses_acknowledged_rows(power: PowerCut, synchronous: str) -> None:
    lost = 0
    for cut_at in (5000, 4000, 3000):  # a cut during a checkpoint, where even NORMAL syncs, would show nothing
        acknowledged, kept = rows_after_a_cut(power, synchronous, Faults(cut_at=cut_at))
        lost += acknowledged - kept
        (power.mount_point / "rows.db").unlink(missing_ok=True)
        (power.mount_point / "rows.db-wal").unlink(missing_ok=True)
        (power.mount_point / "rows.db-shm").unlink(missing_ok=True)
        print(f"{synchronous}: {acknowledged} acknowledged, {kept} kept")
    assert lost > 500


@needs_fuse
def test_a_kill_alone_loses_nothing_even_without_syncs(power: PowerCut) -> None:
    database = power.mount_point / "rows.db"
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(database), "off"], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    lines = [writer.stdout.readline() for _ in range(300)]
    writer.send_signal(signal.SIGKILL)
    rest = writer.communicate(timeout=30)[0].split("\n")[:-1]
    assert kept_rows(database) >= len(lines) + len(rest)


@needs_fuse
def test_after_the_cut_nothing_answers_and_the_unsynced_is_gone(power: PowerCut) -> None:
    synced, unsynced = power.mount_point / "synced", power.mount_point / "unsynced"
    with synced.open("wb") as file:
        file.write(b"kept")
        file.flush()
        os.fsync(file.fileno())
    unsynced.write_bytes(b"forgotten")
    sync_folder(power.mount_point)
    power.cut()
    with pytest.raises(OSError) as failed:
        (power.mount_point / "new").write_bytes(b"")
    assert failed.value.errno == errno.EIO
    power.restore()
    assert synced.read_bytes() == b"kept"
    assert unsynced.read_bytes() == b""


@needs_fuse
def test_an_entry_lasts_only_when_its_folder_was_synced(power: PowerCut) -> None:
    path = power.mount_point / "file"
    with path.open("wb") as file:
        file.write(b"data")
        file.flush()
        os.fsync(file.fileno())
    power.cut()
    power.restore()
    assert not path.exists()


@needs_fuse
def test_an_orderly_end_keeps_everything(power: PowerCut) -> None:
    (power.mount_point / "folder").mkdir()
    (power.mount_point / "folder" / "file").write_bytes(b"data")
    power.restore()
    assert (power.mount_point / "folder" / "file").read_bytes() == b"data"
    power.unmount()
    assert (power.platter / "folder" / "file").read_bytes() == b"data"


@needs_fuse
def test_no_space_gives_enospc_and_a_shorter_file(power: PowerCut) -> None:
    power.inject(Faults(space=1000))
    descriptor = os.open(power.mount_point / "file", os.O_CREAT | os.O_WRONLY)
    try:
        assert os.write(descriptor, bytes(900)) == 900
        assert os.write(descriptor, bytes(900)) == 99  # the entry took one
        with pytest.raises(OSError) as failed:
            os.write(descriptor, b"x")
    finally:
        os.close(descriptor)
    assert failed.value.errno == errno.ENOSPC
    assert power.inject(Faults()).refused == 1
    (power.mount_point / "file").write_bytes(bytes(5000))


@needs_fuse
def test_a_failed_sync_forgets_the_data_although_the_next_sync_succeeds(power: PowerCut) -> None:
    with (power.mount_point / "file").open("wb", buffering=0) as file:
        sync_folder(power.mount_point)
        power.inject(Faults(good_syncs=1, failing_syncs=1))
        file.write(b"one")
        os.fsync(file.fileno())
        file.write(b"two")
        with pytest.raises(OSError) as failed:
            os.fsync(file.fileno())
        os.fsync(file.fileno())
    assert failed.value.errno == errno.EIO
    power.cut()
    power.restore()
    assert (power.mount_point / "file").read_bytes() == b"one"


@needs_fuse
def test_writes_can_be_short(power: PowerCut) -> None:
    power.inject(Faults(short_writes=1.0, seed=3))
    with (power.mount_point / "file").open("wb", buffering=0) as file:
        assert 0 < file.write(bytes(1000)) < 1000


@needs_fuse
def test_the_mount_ends_with_the_process_that_made_it(tmp_path: Path) -> None:
    script = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from pathlib import Path\n"
        "from harness.powercut import PowerCut\n"
        "import os, signal\n"
        f"power = PowerCut(Path({str(tmp_path)!r}))\n"
        "print(power._process.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True, timeout=60)
    pid = int(done.stdout)
    wait_for_end(pid)
    assert not os.path.ismount(tmp_path / "mount")


def wait_for_end(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        descriptor = os.pidfd_open(pid)
        try:
            assert select.select([descriptor], [], [], 30)[0], "the file system's process did not end"
        finally:
            os.close(descriptor)


def sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def test_a_torn_write_leaves_whole_sectors_of_it() -> None:
    partly = 0
    for seed in range(20):
        disk = Disk()
        file = File()
        disk.enter("/file", file)
        disk.sync(disk.root)
        disk.inject(Faults(torn=True, seed=seed))
        disk.write(file, b"x" * 4096, 0)
        disk.cut()
        sectors = [bytes(file.durable[at : at + 512]) for at in range(0, len(file.durable), 512)]
        assert {*sectors} <= {b"x" * 512, bytes(512)}
        partly += 0 < sectors.count(b"x" * 512) < 8
    assert partly > 10


def test_a_rename_is_never_half_done() -> None:
    for seed in range(20):
        disk = Disk()
        disk.enter("/old", File())
        disk.sync(disk.root)
        disk.inject(Faults(torn=True, seed=seed))
        disk.rename("/old", "/new")
        disk.cut()
        assert len(disk.durable().durable) == 1


def test_a_folder_with_entries_is_not_removed() -> None:
    disk = Disk()
    disk.enter("/folder", Folder())
    disk.enter("/folder/file", File())
    with pytest.raises(OSError) as failed:
        disk.enter("/folder", None)
    assert failed.value.errno == errno.ENOTEMPTY
