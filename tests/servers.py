"""Installs what the tests need from Debian; where that cannot be done, says which tests are skipped for it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

PACKAGES = {
    "chromium": "chromium",
    "fusermount3": "fuse3",
    "ffprobe": "ffmpeg",
    "postfix": "postfix",
    "rabbitmq-server": "rabbitmq-server",
    "saslpasswd2": "sasl2-bin",
}
LIBRARIES = {
    "python3/dist-packages/gi/__init__.py": "python3-gi",
    "*/girepository-1.0/GstRtspServer-1.0.typelib": "gir1.2-gst-rtsp-server-1.0",
    "*/gstreamer-1.0/libgstapp.so": "gstreamer1.0-plugins-base",
    "*/gstreamer-1.0/libgstrtsp.so": "gstreamer1.0-plugins-good",
    "*/gstreamer-1.0/libgstrtponvif.so": "gstreamer1.0-plugins-bad",
    "*/gstreamer-1.0/libgstx264.so": "gstreamer1.0-plugins-ugly",
}
"""Packages without a program: a file of each, under /usr/lib."""
UNPACKED = {"vsftpd": ("vsftpd",), "proftpd": ("proftpd-core", "proftpd-mod-crypto")}
"""Servers that exclude each other as packages: each is unpacked into a folder of its own, with what it needs."""
FROM_NPM = {"azurite": "azurite@3.35.0"}
"""Programs for Node, each in a folder of its own."""
CACHE = Path(__file__).parents[1] / ".servers"
ALONG = {"sasl2-bin": ["libsasl2-modules"]}
"""What a package needs here without depending on it."""
ANSWERS = "postfix postfix/main_mailer_type select No configuration\n"
"""To questions of installation: no mail server of the machine's own is wanted."""


def main() -> int:
    missing = [package for program, package in PACKAGES.items() if shutil.which(program, path=_path()) is None]
    missing += [package for file, package in LIBRARIES.items() if not any(Path("/usr/lib").glob(file))]
    problems = {", ".join(missing): install(missing)} if missing else {}
    problems |= {name: unpack(name) for name in UNPACKED if not program_of(name).exists()}
    problems |= {name: from_npm(name) for name in FROM_NPM if not script_of(name).exists()}
    told = {what: reason for what, reason in problems.items() if reason}
    for what, reason in told.items():
        print(f"not installed: {what} ({reason}); the tests that need them are skipped by name")
    return 1 if told and os.environ.get("CI") else 0


def _path() -> str:
    """Servers stand where only root looks."""
    return os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin"))


def install(packages: list[str]) -> str:
    """Why it could not be done; empty when it was."""
    if shutil.which("apt-get") is None:
        return "this is no Debian"
    if os.geteuid() != 0:
        return "not root; install them with: sudo apt-get install " + " ".join(packages)
    packages = [*packages, *(more for package in packages for more in ALONG.get(package, []))]
    subprocess.run(["debconf-set-selections"], input=ANSWERS, text=True, capture_output=True, timeout=60, check=False)
    return _run(["apt-get", "update", "-q"]) or _run(
        ["apt-get", "install", "-q", "-y", "--no-install-recommends", *packages]
    )


def program_of(name: str) -> Path:
    return CACHE / name / "usr" / "sbin" / name


def script_of(name: str) -> Path:
    return CACHE / name / "node_modules" / ".bin" / name


def from_npm(name: str) -> str:
    """Fetch a program for Node. Why it could not be done; empty when it was."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        return "node and npm are not installed"
    folder = CACHE / name
    folder.mkdir(parents=True, exist_ok=True)
    return _run(["npm", "install", "--no-audit", "--no-fund", "--prefix", str(folder), FROM_NPM[name]], folder)


def unpack(name: str) -> str:
    """Fetch a server's packages and lay their files out in the cache. Why it could not be done; empty when it was."""
    if shutil.which("apt-get") is None:
        return "this is no Debian"
    failed = _unpacked(name)
    if failed and os.geteuid() == 0:  # the lists of packages may be missing or old
        failed = _run(["apt-get", "update", "-q"]) or _unpacked(name)
    return failed


def _unpacked(name: str) -> str:
    planned = ["apt-get", "--simulate", "install", "--no-install-recommends", *UNPACKED[name]]
    plan = subprocess.run(planned, capture_output=True, text=True, timeout=120, check=False).stdout
    packages = [line.split()[1] for line in plan.splitlines() if line.startswith("Inst ")] or list(UNPACKED[name])
    folder = CACHE / f"{name}.part"
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "packages").mkdir(parents=True)
    failed = _run(["apt-get", "download", "-q", "-o", "APT::Sandbox::User=root", *packages], folder / "packages")
    for package in () if failed else (folder / "packages").glob("*.deb"):
        failed = failed or _run(["dpkg", "-x", str(package), str(folder)])
    if not failed:
        folder.rename(CACHE / name)
    return failed


def _run(command: list[str], folder: Path | None = None) -> str:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=900, check=False
    )
    if not done.returncode:
        return ""
    return done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"{command[0]} failed"


if __name__ == "__main__":
    sys.exit(main())
