"""TLS contexts for connecting, each made once: reading the system's authorities takes some 30 ms of CPU time."""

import os
import ssl
from collections.abc import Callable, Hashable, Sequence

from tocsin.transports.contract import TlsOptions

Stamp = tuple[tuple[int, ...], ...]
_kept: dict[Hashable, tuple[Stamp, ssl.SSLContext]] = {}
"""One for each set of options in the configuration. Asked from threads too: the worst is that two make the same one."""


def kept(key: Hashable, options: TlsOptions, make: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
    """The context made before under `key`, as long as the files it was read from are the same; else a new one."""
    stamp = _stamp(_read_from(options))
    found = _kept.get(key)
    if found is not None and found[0] == stamp:
        return found[1]
    made = make()
    _kept[key] = stamp, made
    return made


def is_kept(key: Hashable, options: TlsOptions) -> bool:
    """Whether `kept` would have nothing to read."""
    found = _kept.get(key)
    return found is not None and found[0] == _stamp(_read_from(options))


def forget_contexts() -> None:
    """The next connections read everything anew, also what no stamp shows."""
    _kept.clear()


def _read_from(options: TlsOptions) -> Sequence[str]:
    files = [name for name in (options.ca_file, options.cert, options.key) if name]
    if options.ca_file or options.insecure:
        return files
    system = ssl.get_default_verify_paths()
    return [*files, *(place for place in (system.cafile, system.capath) if place)]


def _stamp(files: Sequence[str]) -> Stamp:
    """Differs once a file is another, was written, or may be read by others. Empty for one that is not there."""
    return tuple(_stamp_of(file) for file in files)


def _stamp_of(file: str) -> tuple[int, ...]:
    try:
        seen = os.stat(file)
    except OSError:
        return ()
    return seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns
