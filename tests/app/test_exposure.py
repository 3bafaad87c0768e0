"""What a configuration leaves open is said at the start, with the place."""

from pathlib import Path

from tocsin.app.exposure import exposure_warnings
from tocsin.app.loading import load

HEAD = '[gateway]\nname = "gw"\n[[destinations]]\nname = "arc"\n'


def warned(folder: Path, text: str) -> list[str]:
    file = folder / "tocsin.toml"
    file.write_text(text)
    loaded = load(file)
    assert loaded.settings is not None, loaded.problems
    assert loaded.document is not None
    return [str(problem).replace(f"{folder}/", "") for problem in exposure_warnings(loaded.document, loaded.settings)]


def warnings(folder: Path, entry: str) -> str:
    return " ".join(text for text in warned(folder, HEAD + entry) if "changed on the way" in text)


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


def test_what_can_be_guessed_is_named(tmp_path: Path) -> None:
    user = '[control]\nusers = [{{ name = "arc", password = "{}", allow = ["list"] }}]\n'
    token = '[api]\ntokens = [{{ name = "d", token = "{}", scopes = ["read"] }}]\n'
    assert warned(tmp_path, user.format("short") + token.format("abc")) == [
        'tocsin.toml:4: warning: api.tokens[1] "d": the token "d" can be guessed: it is shorter than 16 characters\n'
        "    hint:  a long random one",
        'tocsin.toml:2: warning: control.users[1] "arc": the password of "arc" can be guessed: it is shorter than '
        "8 characters\n    hint:  a longer one",
    ]
    assert warned(tmp_path, user.format("long enough") + token.format("0123456789abcdef")) == []


def test_proxies_that_would_make_strangers_look_near_are_named(tmp_path: Path) -> None:
    text = '[api]\ntrusted_proxies = ["192.0.2.7", "0.0.0.0/0"]\ntokens = [{}]\n'
    token = '{ name = "d", token = "0123456789abcdef", scopes = ["read"] }'
    everybody, tokens, users = warned(tmp_path, text.format(""))
    assert everybody.startswith("tocsin.toml:2: warning: api.trusted_proxies[2]: 0.0.0.0/0 is everybody")
    assert "no [api] tokens: behind a proxy here that sends no X-Forwarded-For everybody is this machine" in tokens
    assert "no [console] users: " in users
    assert len(warned(tmp_path, text.format(token))) == 2
    assert warned(tmp_path, text.replace(', "0.0.0.0/0"', "").format("")) == []
