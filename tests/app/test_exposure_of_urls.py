"""Plain HTTP to a station's web service is said at the start, with the address."""

from pathlib import Path

from tocsin.app.exposure import exposure_warnings
from tocsin.app.loading import load

HEAD = '[gateway]\nname = "gw"\n[[destinations]]\nname = "arc"\n'


def warnings(folder: Path, entry: str) -> str:
    file = folder / "tocsin.toml"
    file.write_text(HEAD + entry)
    loaded = load(file)
    assert loaded.settings is not None, loaded.problems
    assert loaded.document is not None
    found = [str(problem) for problem in exposure_warnings(loaded.document, loaded.settings)]
    return " ".join(text for text in found if "changed on the way" in text)


def test_every_plain_url_is_named(tmp_path: Path) -> None:
    stages = 'type = "stages"\nline = "1"\naccount = "1"\nurls = ["https://a.example.net/", "{}"]\n'
    assert "http://192.0.2.5/r.asmx" in warnings(tmp_path, stages.format("http://192.0.2.5/r.asmx"))
    assert warnings(tmp_path, stages.format("https://192.0.2.5/r.asmx")) == ""
    assert warnings(tmp_path, stages.format("http://127.0.0.1:80/r.asmx")) == ""


def test_a_token_server_too(tmp_path: Path) -> None:
    osap = (
        'type = "osap"\nurls = ["https://a.example.net"]\nsite = "1"\n'
        'oauth = {{ token_url = "{}", client_id = "gw", client_secret = "s" }}\n'
    )
    assert "http://b.example.net/token" in warnings(tmp_path, osap.format("http://b.example.net/token"))
    assert warnings(tmp_path, osap.format("https://b.example.net/token")) == ""
