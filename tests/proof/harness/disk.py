"""A disk with a volatile cache: what was not synced is forgotten at a power cut. Pure memory, no FUSE.

`fsync` on a file makes its data durable, `fsync` on a directory its entries; nothing else does. This is what POSIX
promises and no more: a new file whose directory was never synced is gone after the cut.
"""

import errno
import os
import random
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

SECTOR = 512


@dataclass(eq=False)
class File:
    """`data` is what programs see, `durable` what a cut leaves; `unsynced` leads from one to the other."""

    data: bytearray = field(default_factory=bytearray)
    durable: bytearray = field(default_factory=bytearray)
    unsynced: list[tuple[int, bytes | None]] = field(default_factory=list)
    """(offset, bytes written) or (new size, None) for a truncation."""
    mode: int = 0o644

    def sync(self) -> None:
        for at, data in self.unsynced:
            _apply(self.durable, at, data)
        self.unsynced.clear()


@dataclass(eq=False)
class Folder:
    """`unsynced` holds changes of entries; one dict is atomic, so a rename is never half done."""

    entries: dict[str, "File | Folder"] = field(default_factory=dict)
    durable: dict[str, "File | Folder"] = field(default_factory=dict)
    unsynced: list[dict[str, "File | Folder | None"]] = field(default_factory=list)
    mode: int = 0o755

    def change(self, changes: dict[str, "File | Folder | None"]) -> None:
        _enter(self.entries, changes)
        self.unsynced.append(changes)

    def sync(self) -> None:
        for changes in self.unsynced:
            _enter(self.durable, changes)
        self.unsynced.clear()


Node = File | Folder


def _apply(content: bytearray, at: int, data: bytes | None) -> None:
    if data is None:
        del content[at:]
        content.extend(bytes(at - len(content)))
        return
    content.extend(bytes(max(0, at - len(content))))
    content[at : at + len(data)] = data


def _enter(entries: dict[str, Node], changes: dict[str, "Node | None"]) -> None:
    for name, node in changes.items():
        if node is None:
            entries.pop(name, None)
        else:
            entries[name] = node


@dataclass
class Faults:
    """What shall go wrong. Numbers count from the moment they are set.

    `cut_at`: the power goes at this change (write, sync, truncation, entry). `torn`: of what was not synced a random
    part survives, sector by sector; otherwise nothing. `space`: bytes by which files may still grow. `failing_syncs`:
    this many syncs fail with EIO after letting `good_syncs` pass. `short_writes`: chance that a write takes only a
    part.
    """

    seed: int = 0
    cut_at: int | None = None
    torn: bool = False
    space: int | None = None
    good_syncs: int = 0
    failing_syncs: int = 0
    short_writes: float = 0.0


class Disk:
    """Every operation raises OSError as a file system would; after the cut all of them raise EIO."""

    def __init__(self) -> None:
        self.root = Folder()
        self.changes = 0
        self.syncs = 0
        self.refused = 0
        """Operations that failed by an injected fault."""
        self.dead = False
        self.on_cut: Callable[[], None] = lambda: None
        self.inject(Faults())

    def inject(self, faults: Faults) -> None:
        self.faults = faults
        self._random = random.Random(faults.seed)
        self._countdown = faults.cut_at

    # Looking
    def find(self, path: str) -> Node:
        self._alive()
        node: Node = self.root
        for part in path.strip("/").split("/"):
            if not part:
                continue
            if not isinstance(node, Folder):
                raise OSError(errno.ENOTDIR, path)
            if part not in node.entries:
                raise OSError(errno.ENOENT, path)
            node = node.entries[part]
        return node

    def file(self, path: str) -> File:
        node = self.find(path)
        if isinstance(node, Folder):
            raise OSError(errno.EISDIR, path)
        return node

    def folder(self, path: str) -> Folder:
        node = self.find(path)
        if isinstance(node, File):
            raise OSError(errno.ENOTDIR, path)
        return node

    def read(self, file: File, size: int, at: int) -> bytes:
        self._alive()
        return bytes(file.data[at : at + size])

    # Changing
    def write(self, file: File, data: bytes, at: int) -> int:
        self._change(lambda: self._volatile(file, at, data))
        taken = self._taken(file, data, at)
        self._volatile(file, at, data[:taken])
        return taken

    def truncate(self, file: File, size: int) -> None:
        self._change(lambda: self._volatile(file, size, None))
        self._spend(size - len(file.data))
        self._volatile(file, size, None)

    def sync(self, node: Node) -> None:
        self._change(lambda: node.sync() if self._random.random() < 0.5 else None)
        self.syncs += 1
        if self.faults.good_syncs > 0:
            self.faults.good_syncs -= 1
        elif self.faults.failing_syncs > 0:
            self.faults.failing_syncs -= 1
            self.refused += 1
            node.unsynced.clear()  # as Linux does: the pages count as clean, the data never reaches the disk
            raise OSError(errno.EIO, "the disk failed to sync")
        node.sync()

    def enter(self, path: str, node: "Node | None") -> None:
        """Create (`node`) or remove (None) the entry at `path`."""
        folder, name = self._place(path)
        self._change(lambda: folder.change({name: node}))
        if node is not None:
            self._spend(1)
        elif isinstance(there := self.find(path), Folder) and there.entries:
            raise OSError(errno.ENOTEMPTY, path)
        folder.change({name: node})

    def rename(self, old: str, new: str) -> None:
        node = self.find(old)
        (source, name), (target, new_name) = self._place(old), self._place(new)
        self._change(lambda: None)
        if source is target:
            source.change({name: None, new_name: node})
        else:
            target.change({new_name: node})
            source.change({name: None})

    # Power
    def cut(self) -> None:
        """Forget what was not synced, or keep a random part of it; from now on nothing answers."""
        if self.dead:
            return
        self.dead = True
        if self.faults.torn:
            for node in list(_nodes(self.root)):
                self._tear(node)
        self.on_cut()

    def durable(self) -> Folder:
        """The tree a disk would have after the cut; after an orderly unmount everything."""
        if not self.dead:
            for node in list(_nodes(self.root)):
                node.sync()
        return self.root

    def _tear(self, node: Node) -> None:
        if isinstance(node, Folder):  # a journal keeps the order of entries: what survives is a beginning
            del node.unsynced[self._random.randint(0, len(node.unsynced)) :]
        else:
            node.unsynced = [piece for change in node.unsynced for piece in _sectors(change) if self._chance(0.5)]
        node.sync()

    def _change(self, half_done: Callable[[], object]) -> None:
        self._alive()
        self.changes += 1
        if self._countdown is None:
            return
        self._countdown -= 1
        if self._countdown <= 0:
            half_done()
            self.cut()
            self._alive()

    def _alive(self) -> None:
        if self.dead:
            raise OSError(errno.EIO, "the power is off")

    def _taken(self, file: File, data: bytes, at: int) -> int:
        size = len(data)
        if size > 1 and self._chance(self.faults.short_writes):
            size = self._random.randint(1, size - 1)
        growth = max(0, at + size - len(file.data))
        space = self.faults.space
        if space is None or growth <= space:
            self._spend(growth)
            return size
        self._spend(space)
        if growth - space >= size:
            self._spend(1)
        return size - (growth - space)

    def _spend(self, growth: int) -> None:
        if self.faults.space is None or growth <= 0:
            return
        if growth > self.faults.space:
            self.refused += 1
            raise OSError(errno.ENOSPC, "no space left")
        self.faults.space -= growth

    def _chance(self, likely: float) -> bool:
        return likely > 0 and self._random.random() < likely

    @staticmethod
    def _volatile(file: File, at: int, data: bytes | None) -> None:
        _apply(file.data, at, data)
        file.unsynced.append((at, data))

    def _place(self, path: str) -> tuple[Folder, str]:
        head, _, name = path.strip("/").rpartition("/")
        return self.folder(head), name


def _sectors(change: tuple[int, bytes | None]) -> Iterator[tuple[int, bytes | None]]:
    at, data = change
    if data is None:
        yield change
        return
    start = 0
    while start < len(data):
        end = start + SECTOR - (at + start) % SECTOR
        yield at + start, data[start:end]
        start = end


def _nodes(folder: Folder) -> Iterator[Node]:
    yield folder
    for node in {id(node): node for node in (*folder.entries.values(), *folder.durable.values())}.values():
        if isinstance(node, Folder):
            yield from _nodes(node)
        else:
            yield node


def load(folder: Path) -> Folder:
    """Read a real folder; everything in it is durable."""
    here = Folder(mode=stat.S_IMODE(folder.stat().st_mode))
    for entry in folder.iterdir():
        here.entries[entry.name] = load(entry) if entry.is_dir() else _loaded(entry)
    here.durable = dict(here.entries)
    return here


def _loaded(path: Path) -> File:
    data = path.read_bytes()
    return File(bytearray(data), bytearray(data), mode=stat.S_IMODE(path.stat().st_mode))


def save(folder: Folder, to: Path) -> None:
    """Write the durable tree into a real, empty folder."""
    to.mkdir(exist_ok=True)
    for name, node in folder.durable.items():
        if name.startswith(".fuse_hidden"):  # an unlinked file that was still open
            continue
        if isinstance(node, Folder):
            save(node, to / name)
        else:
            (to / name).write_bytes(node.durable)
            os.chmod(to / name, node.mode)
