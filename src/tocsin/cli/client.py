"""Asking the running gateway over its REST interface."""

import http.client
import json
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Sequence
from typing import Any

from tocsin.api.settings import ApiSettings
from tocsin.config.listening import split_listen

DEADLINE_S = 60.0
_LARGEST_ANSWER = 64 * 1024 * 1024


class Unanswered(Exception):
    """The gateway did not do what was asked; the text says why and what to do."""


class Refusal(Unanswered):
    """The gateway answered, and said no."""


class Client:
    """One gateway's API. Every call has a deadline; raises Unanswered, or Refusal."""

    def __init__(self, url: str, token: str = "", tls: ssl.SSLContext | None = None) -> None:
        self.url = url.rstrip("/")
        self.token = token
        self.tls = tls
        handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
        if self.url.startswith("https://"):
            handlers.append(urllib.request.HTTPSHandler(context=tls))
        self._opener = urllib.request.build_opener(*handlers)

    def get(self, path: str, **query: Any) -> Any:
        """The JSON at `/api/v1` + path; empty query values are left out, lists repeat their key."""
        asked = {name: value for name, value in query.items() if value not in (None, "", [])}
        return self._call("GET", path + (f"?{urllib.parse.urlencode(asked, doseq=True)}" if asked else ""))

    def post(self, path: str, body: Any = None) -> Any:
        return self._call("POST", path, None if body is None else json.dumps(body).encode())

    def pages(self, path: str, most: int, **query: Any) -> Iterator[dict[str, Any]]:
        """Items of a paged list, at most `most` of them."""
        cursor = ""
        while most > 0:
            page = self.get(path, limit=min(most, 500), cursor=cursor, **query)
            yield from page["items"]
            most -= len(page["items"])
            cursor = page["next_cursor"] or ""
            if not cursor:
                return

    def _call(self, method: str, path: str, body: bytes | None = None) -> Any:
        request = urllib.request.Request(f"{self.url}/api/v1{path}", body, method=method)  # noqa: S310
        request.add_header("Accept", "application/json")
        if body is not None:
            request.add_header("Content-Type", "application/json")
        if self.token:
            request.add_header("Authorization", f"Bearer {self.token}")
        try:
            with self._opener.open(request, timeout=DEADLINE_S) as answer:
                return json.loads(answer.read(_LARGEST_ANSWER) or b"null")
        except urllib.error.HTTPError as error:
            raise Refusal(_refusal(error)) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Unanswered(_silence(self.url, error)) from None


def _refusal(error: urllib.error.HTTPError) -> str:
    """The gateway's own words, from its problem document."""
    try:
        detail = str(json.loads(error.read(65536)).get("detail", ""))
    except (ValueError, AttributeError, OSError):
        detail = ""
    return f"the gateway refuses ({error.code}): {detail or error.reason}"


def _silence(url: str, error: Exception) -> str:
    reason = getattr(error, "reason", error)
    if isinstance(reason, ConnectionRefusedError):
        return f"no gateway answers at {url}: is it running? `tocsin run` starts it"
    if isinstance(reason, TimeoutError):
        return f"the gateway at {url} gave no answer within {DEADLINE_S:.0f} s"
    if isinstance(reason, ssl.SSLError):
        return f"the TLS connection to {url} failed: {reason.reason or reason}"
    return f"the gateway at {url} cannot be asked: {reason}"


def own_client(api: ApiSettings, token: str, scopes: Sequence[str]) -> Client:
    """The client for the gateway of this configuration: its address, its certificate, a token that suffices."""
    host, port = split_listen(api.listen)
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    shown = f"[{reachable}]" if ":" in reachable else reachable
    url = f"{'https' if api.tls else 'http'}://{shown}:{port}"
    return Client(url, token or _token(api, scopes), _only(api.tls.cert) if api.tls else None)


def _token(api: ApiSettings, scopes: Sequence[str]) -> str:
    """The first token that may do it; one that is not narrowed goes first."""
    able = [one for one in api.tokens if "admin" in one.scopes or set(scopes) <= set(one.scopes)]
    able.sort(key=lambda one: one.areas is not None or one.devices is not None)
    if not able and api.tokens:
        raise Unanswered(
            f"no token in [api] has the scope {' and '.join(scopes)}: add one, or give --token or TOCSIN_TOKEN"
        )
    return able[0].token.reveal() if able else ""


def _only(cert: str) -> ssl.SSLContext:
    """Trusts exactly the gateway's own certificate, whatever name it carries."""
    context = ssl.create_default_context(cafile=cert)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context
