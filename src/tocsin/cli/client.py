"""Asking the running gateway over its REST interface."""

import http.client
import json
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Any

from tocsin.cli.context import Refusal, Unanswered

DEADLINE_S = 60.0
_LARGEST_ANSWER = 64 * 1024 * 1024


class Client:
    """One gateway's API. Every call has a deadline; raises Unanswered, or Refusal.

    `asked_with` says where the token comes from, `scopes_in` where scopes are given: for the sentence after a refusal.
    """

    def __init__(
        self,
        url: str,
        token: str = "",
        tls: ssl.SSLContext | None = None,
        asked_with: str = "",
        scopes_in: str = "the configuration of that gateway",
    ) -> None:
        self.url = url.rstrip("/")
        self.token = token
        self.tls = tls
        self._asked_with = asked_with
        self._scopes_in = scopes_in
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

    def delete(self, path: str) -> Any:
        return self._call("DELETE", path)

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

    def health(self, path: str, timeout_s: float) -> dict[str, Any]:
        """The JSON of `/readyz` or `/healthz`, which is there when the gateway is not ready too."""
        try:
            found = self._open(self._request("GET", path), timeout_s)
        except urllib.error.HTTPError as error:
            if error.code != 503:
                raise Refusal(self._refusal(error)) from None
            found = _read(error, self.url)
        if not isinstance(found, dict):
            raise Unanswered(f"what answers at {self.url} is no gateway")
        return found

    def _call(self, method: str, path: str, body: bytes | None = None) -> Any:
        try:
            return self._open(self._request(method, f"/api/v1{path}", body), DEADLINE_S)
        except urllib.error.HTTPError as error:
            raise Refusal(self._refusal(error)) from None

    def _request(self, method: str, path: str, body: bytes | None = None) -> urllib.request.Request:
        request = urllib.request.Request(f"{self.url}{path}", body, method=method)  # noqa: S310
        request.add_header("Accept", "application/json")
        if body is not None:
            request.add_header("Content-Type", "application/json")
        if self.token:
            request.add_header("Authorization", f"Bearer {self.token}")
        return request

    def _open(self, request: urllib.request.Request, timeout_s: float) -> Any:
        try:
            with self._opener.open(request, timeout=timeout_s) as answer:
                return _read(answer, self.url)
        except urllib.error.HTTPError:
            raise
        except (OSError, http.client.HTTPException) as error:
            raise Unanswered(_silence(self.url, error, timeout_s)) from None

    def _refusal(self, error: urllib.error.HTTPError) -> str:
        """The gateway's own words, from its problem document, and where to do something about it."""
        try:
            detail = str(json.loads(error.read(65536)).get("detail", ""))
        except (ValueError, AttributeError, OSError):
            detail = ""
        said = f"the gateway refuses ({error.code}): {detail or error.reason}"
        if error.code == 403 and "lacks the scope" in detail:
            said += f" Scopes stand in {self._scopes_in}; a change counts after a reload. Or give --token another one."
        if error.code in (401, 403) and self._asked_with:
            said += f" (asked with {self._asked_with})"
        return said


def _read(answer: Any, url: str) -> Any:
    try:
        return json.loads(answer.read(_LARGEST_ANSWER) or b"null")
    except ValueError:
        raise Unanswered(f"what answers at {url} is no gateway: its answer is not JSON") from None


def _silence(url: str, error: Exception, timeout_s: float) -> str:
    reason = getattr(error, "reason", error)
    if isinstance(reason, ConnectionRefusedError):
        return f"no gateway answers at {url}: is it running? `tocsin run` starts it"
    if isinstance(reason, TimeoutError):
        return f"the gateway at {url} gave no answer within {timeout_s:g} s"
    if isinstance(reason, ssl.SSLError):
        return f"the TLS connection to {url} failed: {reason.reason or reason}"
    return f"the gateway at {url} cannot be asked: {reason}"
