"""Which token a command asks with, as the gateway sees it: --token, a configured one that suffices, TOCSIN_TOKEN."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
from tests.cli.conftest import Tocsin

DETECTORS, SERVICE, STRANGER = "detectors-0123456789", "service-0123456789", "stranger-0123456789"
ENTRIES = """\
[[destinations]]
name = "broken, and of no concern to those who ask the gateway"

[api]
listen = "127.0.0.1:{port}"
tokens = [
  {{ name = "detectors", token = {{ env = "TOCSIN_TOKEN" }}, scopes = ["events:write", "read"] }},
  {service}
]
"""
MAY_OPERATE = f'{{ name = "service", token = "{SERVICE}", scopes = ["read", "operate"] }},'
NARROWED = f'{{ name = "depot", token = "{SERVICE}", scopes = ["read", "operate"], areas = ["North depot"] }},'


class _Gateway(BaseHTTPRequestHandler):
    """Notes each token; says no to all, in the gateway's words."""

    seen: list[str]

    def do_POST(self) -> None:
        self.server.seen.append(self.headers.get("Authorization", "").removeprefix("Bearer "))  # type: ignore[attr-defined]
        body = json.dumps({"detail": "The token detectors lacks the scope operate."}).encode()
        self.send_response(403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST

    def log_message(self, *arguments: object) -> None:
        return


@pytest.fixture
def gateway() -> Iterator[HTTPServer]:
    with HTTPServer(("127.0.0.1", 0), _Gateway) as server:
        server.seen = []  # type: ignore[attr-defined]
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("command", "service", "environment", "asked_with"),
    [
        (["retry", "1.arc"], MAY_OPERATE, {"TOCSIN_TOKEN": DETECTORS}, SERVICE),
        (["retry", "1.arc"], MAY_OPERATE, {}, SERVICE),
        (["retry", "1.arc"], NARROWED, {"TOCSIN_TOKEN": DETECTORS}, SERVICE),
        (["retry", "1.arc"], "", {"TOCSIN_TOKEN": DETECTORS}, DETECTORS),
        (["retry", "1.arc", "--token", STRANGER], MAY_OPERATE, {"TOCSIN_TOKEN": DETECTORS}, STRANGER),
        (["events"], NARROWED, {"TOCSIN_TOKEN": DETECTORS}, DETECTORS),
        (["events"], NARROWED, {}, SERVICE),
    ],
)
def test_the_first_that_may_do_it(
    command: list[str],
    service: str,
    environment: dict[str, str],
    asked_with: str,
    gateway: HTTPServer,
    tocsin: Tocsin,
    tmp_path: Path,
) -> None:
    (tmp_path / "tocsin.toml").write_text(ENTRIES.format(port=gateway.server_port, service=service))
    assert tocsin(*command, **environment).code == 1
    assert gateway.seen == [asked_with]  # type: ignore[attr-defined]


def test_another_gateway_is_never_told_a_token_of_this_configuration(
    gateway: HTTPServer, tocsin: Tocsin, tmp_path: Path
) -> None:
    (tmp_path / "tocsin.toml").write_text(ENTRIES.format(port=1, service=MAY_OPERATE))
    url = f"http://127.0.0.1:{gateway.server_port}"
    assert tocsin("events", "--url", url).code == 1
    assert tocsin("events", "--url", url, TOCSIN_TOKEN=STRANGER).code == 1
    assert gateway.seen == ["", STRANGER]  # type: ignore[attr-defined]


def test_a_missing_scope_is_named_with_the_place_to_give_it(
    gateway: HTTPServer, tocsin: Tocsin, tmp_path: Path
) -> None:
    (tmp_path / "tocsin.toml").write_text(ENTRIES.format(port=gateway.server_port, service=""))
    ended = tocsin("test", "arc", TOCSIN_TOKEN=DETECTORS)
    assert ended.code == 1
    assert ended.err == (
        "tocsin: the gateway refuses (403): The token detectors lacks the scope operate. Scopes stand in tocsin.toml, "
        "[api] tokens; a change counts after a reload. Or give --token another one. (asked with TOCSIN_TOKEN)\n"
    )


def test_without_any_token_for_it_nothing_is_sent(gateway: HTTPServer, tocsin: Tocsin, tmp_path: Path) -> None:
    (tmp_path / "tocsin.toml").write_text(ENTRIES.format(port=gateway.server_port, service=""))
    ended = tocsin("test", "arc")
    assert ended.code == 1
    assert ended.err.startswith(
        "tocsin: no token in tocsin.toml, [api] tokens, has the scope operate and read: add it to one and reload the "
        "gateway, or give --token or TOCSIN_TOKEN\n"
    )
    assert "the environment variable TOCSIN_TOKEN is not set" in ended.err
    assert gateway.seen == []  # type: ignore[attr-defined]


def test_a_broken_api_section_is_wrong_use(tocsin: Tocsin, tmp_path: Path) -> None:
    (tmp_path / "tocsin.toml").write_text('[api]\nlisten = 8080\ntokens = "none"\n')
    ended = tocsin("events")
    assert ended.code == 2
    assert "tocsin.toml:2: api.listen: text is expected here" in ended.err
