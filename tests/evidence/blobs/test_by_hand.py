"""docs/how-to/check-a-delivery.md: its lines are run as they stand, on a delivery as it was made."""

import hashlib
import re
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from blobkit.journals import MemoryJournal, job_file, place
from blobkit.standin import Standin
from blobkit.vectors import private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from typer.testing import CliRunner

from tocsin.cli.evidence import app
from tocsin.engine.clock import LoopClock
from tocsin.evidence.contracts import Uploaded
from tocsin.evidence.journal import next_line
from tocsin.evidence.upload import Uploader

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "check-a-delivery.md"
MISSING = [name for name in ("openssl", "sha256sum", "ffmpeg", "ffprobe", "od") if shutil.which(name) is None]
AT = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")


@pytest.fixture
async def delivery(standin: Standin, uploader: Uploader, tmp_path: Path) -> Path:
    """A folder with what the page asks for."""
    folder = tmp_path / "delivery"
    folder.mkdir()
    film = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc=d=2:s=160x120:r=5", "-c:v", "mpeg4", "clip.mp4"]
    subprocess.run(film, cwd=folder, check=True, capture_output=True, timeout=60)
    upload = uploader.begin(folder / "clip.mp4", place(standin.address("clip")), LoopClock().now())
    done = await uploader.carry_out(folder / "clip.mp4", job_file(upload=upload), MemoryJournal(), lambda: None)
    cipher, metadata = standin.content("clip")
    (folder / "clip.blob").write_bytes(cipher)
    (folder / "encryptiondata.json").write_text(metadata["encryptiondata"])
    pem = private_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "registry.pem").write_bytes(pem)
    (folder / "custody.jsonl").write_text("".join(f"{text}\n" for text in log(done)))
    return folder


def log(done: Uploaded) -> list[str]:
    facts = {
        "job": "j-1", "device": "cam-7", "delivered": [AT - timedelta(seconds=367), AT - timedelta(seconds=365)],
        "size": done.size, "sha256": done.sha256, "cipher_size": done.cipher_size, "cipher_sha256": done.cipher_sha256,
    }  # fmt: skip
    first = next_line(None, "city", AT, {"event": "locked", "job": "j-1"})
    second = next_line(first, "city", AT + timedelta(seconds=1), {"event": "file stored", "blob": done.blob, **facts})
    third = next_line(second, "city", AT + timedelta(seconds=2), {"event": "file delivered", **facts})
    return [first.text, second.text, third.text]


async def test_the_lines_of_the_page_do_what_it_says(delivery: Path) -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 3
    done = subprocess.run(
        ["sh", "-e", "-c", "\n".join(blocks)], cwd=delivery, capture_output=True, text=True, check=True, timeout=60
    )
    said = done.stdout.splitlines()
    digest = hashlib.sha256((delivery / "clip.mp4").read_bytes()).hexdigest()
    assert said[:2] == [f"{digest}  clip.mp4", "2"]
    assert {"codec_name=mpeg4", "duration=2.000000", "the same file"} <= set(said)
    assert said[5].split('"')[3] == said[4].split()[0], "the digest of line 2 stands in line 3"


async def test_the_command_of_the_page_says_what_it_shows(delivery: Path) -> None:
    words = ["verify", f"{delivery}/clip.mp4", f"{delivery}/clip.blob", "--log", f"{delivery}/custody.jsonl"]
    done = CliRunner().invoke(app, words)
    assert (done.exit_code, done.output.count("as it was delivered")) == (0, 2)
    (delivery / "clip.mp4").write_bytes((delivery / "clip.mp4").read_bytes() + b"\0")
    assert CliRunner().invoke(app, words).exit_code == 1
