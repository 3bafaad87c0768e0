"""Installs what the tests need from Debian; where that cannot be done, says which tests are skipped for it."""

import os
import shutil
import subprocess
import sys

PACKAGES = {
    "chromium": "chromium",
    "fusermount3": "fuse3",
    "postfix": "postfix",
    "saslpasswd2": "sasl2-bin",
}
ALONG = {"sasl2-bin": ["libsasl2-modules"]}
"""What a package needs here without depending on it."""
ANSWERS = "postfix postfix/main_mailer_type select No configuration\n"
"""To questions of installation: no mail server of the machine's own is wanted."""


def main() -> int:
    missing = [package for program, package in PACKAGES.items() if shutil.which(program, path=_path()) is None]
    if not missing:
        return 0
    reason = install(missing)
    if reason:
        print(f"not installed: {', '.join(missing)} ({reason}); the tests that need them are skipped by name")
        return 1 if os.environ.get("CI") else 0
    return 0


def _path() -> str:
    """Servers stand where only root looks."""
    return os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin"))


def install(packages: list[str]) -> str:
    """Why it could not be done; empty when it was."""
    if shutil.which("apt-get") is None:
        return "this is no Debian"
    if os.geteuid() != 0:
        return "not root; install them with: sudo apt-get install " + " ".join(packages)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    packages = [*packages, *(more for package in packages for more in ALONG.get(package, []))]
    subprocess.run(["debconf-set-selections"], input=ANSWERS, text=True, capture_output=True, timeout=60, check=False)
    for command in (
        ["apt-get", "update", "-q"],
        ["apt-get", "install", "-q", "-y", "--no-install-recommends", *packages],
    ):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900, check=False)
        if done.returncode:
            return done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "apt-get failed"
    return ""


if __name__ == "__main__":
    sys.exit(main())
