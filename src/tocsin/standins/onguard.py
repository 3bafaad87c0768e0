"""A stand-in OpenAccess: strict about what is published, every assumption a switch (connectors.md 5)."""

import hmac
import ssl
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any, Literal

import msgspec
from aiohttp import web
from msgspec import Struct

from tocsin.engine.contracts import Clock
from tocsin.standins.onguard_site import KEYS, METHODS, Row, Site, chosen
from tocsin.standins.web_service import Examined, Out, Reply, WebService

BASE = "/api/access/onguard/openaccess/"
_PAGING = {"page_number", "page_size", "order_by"}
_QUERIES: dict[tuple[str, str], set[str]] = {
    ("GET", "directories"): set(),
    ("POST", "authentication"): {"user_name", "password", "directory_id"},
    ("DELETE", "authentication"): set(),
    ("GET", "version"): set(),
    ("GET", "feature_availability"): set(),
    ("GET", "keepalive"): set(),
    ("GET", "instances"): {"type_name", "filter", *_PAGING},
    ("GET", "video_recorders"): {"filter", *_PAGING},
    ("GET", "logged_events"): {"filter", *_PAGING},
    ("GET", "type"): {"type_name"},
    ("POST", "execute_method"): {"type_name", "method_name", "property_value_map", "in_parameter_value_map"},
    ("GET", "event_subscriptions"): _PAGING,
    ("POST", "event_subscriptions"): {"description", "filter", "is_durable"},
    ("GET", "event_subscriptions/{id}"): set(),
    ("DELETE", "event_subscriptions/{id}"): set(),
}
_OPEN = {("GET", "directories"), ("POST", "authentication")}


class Assumed(Struct, frozen=True):
    """What nobody has published; each can be the other way round."""

    page_cap: int = 100
    ignores_pages: bool = False
    wrong_password: Literal[400, 401, 403] = 401
    error_in: Literal["body", "header"] = "body"
    naive_times: bool = False
    must_report: bool = True
    """Status words are those of the last UpdateHardwareStatus."""
    lacks: tuple[str, ...] = ()
    """Operations and types this OnGuard does not have."""
    sorts: bool = True
    """Takes several fields in order_by, joined by commas."""
    lost_rows: int = 0
    """How many more items are counted than come."""


class Access(Struct, frozen=True):
    """Who is let in, and for how many requests a session lasts (0: for good)."""

    application_id: str = "TOCSIN_TEST"
    username: str = "openaccess-svc"
    password: str = "let-me-in"  # noqa: S105 - a stand-in's
    requests: int = 0
    licensed: bool = True


class Broker(Struct, frozen=True):
    """What subscriptions name."""

    host: str = "127.0.0.1"
    port: int = 5671
    tls: bool = True


class Wrong(Exception):
    """Why a request is refused: status, code, message."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


class OnGuardStandin:
    """The server; `web` holds its listening and its misbehaviour, `site` what it knows."""

    def __init__(
        self,
        listen: str,
        out: Out,
        clock: Clock,
        site: Site,
        access: Access = Access(),  # noqa: B008 - frozen
        assumed: Assumed = Assumed(),  # noqa: B008
        broker: Broker = Broker(),  # noqa: B008
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.site = site
        self.access = access
        self.assumed = assumed
        self.logins: list[bool] = []
        self.orders: list[tuple[str, dict[str, int], str]] = []
        self.subscriptions: list[dict[str, Any]] = []
        self._broker = broker
        self._clock = clock
        self._left: dict[str, int] = {}
        self._answers: dict[tuple[str, str], Callable[[dict[str, Any]], dict[str, Any]]] = {
            ("GET", "directories"): self._directories,
            ("POST", "authentication"): self._login,
            ("GET", "version"): lambda _: {"product_name": "OnGuard 8.2", "product_version": "8.2.1"},
            ("GET", "feature_availability"): lambda _: {},
            ("GET", "keepalive"): lambda _: {},
            ("GET", "instances"): self._instances,
            ("GET", "video_recorders"): lambda given: self._page(self.site.recorders, given),
            ("GET", "logged_events"): self._events,
            ("GET", "type"): self._type,
            ("POST", "execute_method"): self._execute,
        }
        self.web = WebService(listen, out, self._examined, tls)

    def end_sessions(self) -> None:
        """As after their idle time."""
        self._left.clear()

    @property
    def sessions(self) -> int:
        return len(self._left)

    def _examined(self, request: web.Request, body: bytes) -> Examined:
        told: dict[str, Any] = {
            "system": "onguard",
            "at": self._clock.now().isoformat(timespec="milliseconds"),
            "request": f"{request.method} {request.path.removeprefix(BASE)}",
        }
        try:
            given = self._given(request, body)
            told |= {name: value for name, value in given.items() if name not in ("password", "version")}
            return Examined(told, _json(200, {"version": "1.0", **self._answer(request, given)}))
        except Wrong as wrong:
            return Examined(told | {"refused": str(wrong)}, self._error(wrong))

    def _given(self, request: web.Request, body: bytes) -> dict[str, Any]:
        """All parameters, from query and body: the service makes no difference between them."""
        operation = _operation(request)
        if operation not in _QUERIES:
            raise Wrong(404, "openaccess.general.notfound", f"there is no {' '.join(operation)}")
        application = request.headers.get("Application-Id", "")
        if not self.access.licensed or not hmac.compare_digest(
            application.encode(), self.access.application_id.encode()
        ):
            raise Wrong(401, "openaccess.general.invalidapplicationid", "You are not licensed for OpenAccess.")
        given = {**_object(body), **request.query}
        if given.get("version") not in ("1.0", "1.1", "1.2"):
            raise Wrong(400, "openaccess.general.missingparameter", "version is missing")
        unknown = given.keys() - _QUERIES[operation] - {"version", "queue"}
        if unknown:
            raise Wrong(400, "openaccess.general.invalidparameter", f"unknown: {', '.join(sorted(unknown))}")
        if operation not in _OPEN:
            self._admit(request.headers.get("Session-Token", ""))
        return given

    def _admit(self, token: str) -> None:
        if token not in self._left:
            raise Wrong(401, "openaccess.general.invalidsession", "The session is not known or has ended.")
        self._left[token] -= 1
        if self._left[token] == 0:
            del self._left[token]

    def _answer(self, request: web.Request, given: dict[str, Any]) -> dict[str, Any]:
        operation = _operation(request)
        if operation[1] in self.assumed.lacks or given.get("type_name") in self.assumed.lacks:
            raise Wrong(404, "openaccess.general.notfound", f"there is no {given.get('type_name', operation[1])}")
        match operation:
            case "DELETE", "authentication":
                self._left.pop(request.headers.get("Session-Token", ""), None)
                return {}
            case _, "event_subscriptions" | "event_subscriptions/{id}":
                return self._subscriptions(operation[0], request.path.rpartition("/")[2], given)
        return self._answers[operation](given)

    def _directories(self, _: dict[str, Any]) -> dict[str, Any]:
        rows = (
            {"ID": "id-1", "Name": "<Internal>", "directory_type": 0},
            {"ID": "id-2", "Name": "CORP", "directory_type": 4},
        )
        return {"total_items": 2, "item_list": [{"property_value_map": row} for row in rows]}

    def _login(self, given: dict[str, Any]) -> dict[str, Any]:
        wanted = (self.access.username, self.access.password, "id-1")
        self.logins.append((given.get("user_name"), given.get("password"), given.get("directory_id")) == wanted)
        if not self.logins[-1]:
            raise Wrong(
                self.assumed.wrong_password, "openaccess.general.invalidcredentials", "Invalid user or password."
            )
        token = f"session-{len(self.logins)}-of-the-stand-in"
        self._left[token] = self.access.requests or -1
        ends = self._clock.now() + timedelta(hours=12)
        return {"session_token": token, "token_expiration_time": self._written(ends.isoformat())}

    def _instances(self, given: dict[str, Any]) -> dict[str, Any]:
        name = str(given.get("type_name"))
        if name not in self.site.rows:
            raise Wrong(404, "openaccess.general.invalidtype", f"there is no type {name}")
        page = self._page(self.site.rows[name], given)
        rows = [{"property_value_map": row} for row in page.pop("item_list")]
        return {"type_name": name, **page, "item_list": rows}

    def _events(self, given: dict[str, Any]) -> dict[str, Any]:
        if not given.get("filter"):
            raise Wrong(400, "openaccess.general.missingparameter", "filter is missing")
        rows = [{**row, "timestamp": self._written(row["timestamp"])} for row in self.site.events]
        return self._page(rows, given)

    def _written(self, instant: str) -> str:
        return instant.replace("+00:00", "" if self.assumed.naive_times else "Z")

    def _page(self, rows: Iterable[Row], given: dict[str, Any]) -> dict[str, Any]:
        try:
            number, size = int(given.get("page_number", 1)), int(given.get("page_size", 20))
            kept = chosen(rows, str(given.get("filter", "")))
            names = [name for name in str(given.get("order_by", "")).split(",") if name]
            if names and not self.assumed.sorts:
                raise ValueError("order_by is not understood")
            kept.sort(key=lambda row: [row[name] for name in names])
        except (ValueError, KeyError) as problem:
            raise Wrong(400, "openaccess.general.invalidparameter", str(problem)) from None
        if number < 1 or size < 1:
            raise Wrong(400, "openaccess.general.invalidparameter", "pages count from 1")
        size = min(size, self.assumed.page_cap)
        part = kept if self.assumed.ignores_pages else kept[(number - 1) * size : number * size]
        return {
            "count": len(part),
            "page_number": number,
            "page_size": size,
            "total_items": len(kept) + self.assumed.lost_rows,
            "total_pages": max(1, -(-len(kept) // size)),
            "item_list": part,
        }

    def _type(self, given: dict[str, Any]) -> dict[str, Any]:
        name = str(given.get("type_name"))
        if name not in KEYS:
            raise Wrong(404, "openaccess.general.invalidtype", f"there is no type {name}")
        names = dict.fromkeys([*KEYS[name], *(one for row in self.site.rows[name] for one in row)])
        properties = [{"name": one, "type": "string", "is_key": one in KEYS[name], "access": "view"} for one in names]
        return {
            "type_name": name,
            "properties": properties,
            "methods": [{"name": one} for one in METHODS.get(name, ())],
        }

    def _execute(self, given: dict[str, Any]) -> dict[str, Any]:
        name, method, values = str(given.get("type_name")), given.get("method_name"), given.get("property_value_map")
        if method not in METHODS.get(name, ()) or not isinstance(values, dict):
            raise Wrong(400, "openaccess.general.invalidmethod", f"{name} has no method {method}")
        if values.keys() != set(KEYS[name]):
            raise Wrong(400, "openaccess.general.invalidparameter", f"keys are {', '.join(KEYS[name])}")
        key = tuple(values[one] for one in KEYS[name])
        if all(tuple(row[one] for one in KEYS[name]) != key for row in self.site.rows[name]):
            raise Wrong(404, "openaccess.general.notfound", f"there is no {name} {key}")
        if method == "GetHardwareStatus":
            words = self.site.reported if self.assumed.must_report else self.site.words
            return {"out_parameter_value_map": {"Status": words[name, key]}}
        if method == "UpdateHardwareStatus":
            if key[0] in self.site.deaf:
                raise Wrong(500, "openaccess.general.failed", "The communication server did not answer.")
            self.site.report(key[0])
        else:
            self.orders.append((name, values, str(method)))
        return {"out_parameter_value_map": {}}

    def _subscriptions(self, method: str, number: str, given: dict[str, Any]) -> dict[str, Any]:
        if method == "POST":
            return self._subscribed(given)
        if number == "event_subscriptions":
            return self._page(self.subscriptions, given)
        found = [one for one in self.subscriptions if str(one["id"]) == number]
        if not found:
            raise Wrong(404, "openaccess.general.notfound", f"there is no subscription {number}")
        if method == "DELETE":
            self.subscriptions.remove(found[0])
        return dict(found[0])

    def _subscribed(self, given: dict[str, Any]) -> dict[str, Any]:
        number = 17 + max((one["id"] - 16 for one in self.subscriptions), default=0)
        made = {
            "id": number,
            "description": given.get("description", ""),
            "filter": given.get("filter", ""),
            "is_durable": given.get("is_durable", False),
            "exchange_name": "openaccess",
            "binding_key": f"subscription.{number}",
            "queue_name": f"openaccess-{number}",
            "message_broker_hostname": self._broker.host,
            "message_broker_port": self._broker.port,
            "requires_secure_connection": self._broker.tls,
            "user_id": "41",
            "created_date": self._clock.now().isoformat(timespec="seconds"),
        }
        self.subscriptions.append(made)
        return dict(made)

    def _error(self, wrong: Wrong) -> Reply:
        error = {"code": wrong.code, "message": str(wrong)}
        if self.assumed.error_in == "header":
            return Reply(wrong.status, b"", (("error", msgspec.json.encode(error).decode()),))
        return _json(wrong.status, {"error": error})


def _operation(request: web.Request) -> tuple[str, str]:
    parts: Sequence[str] = request.path.removeprefix(BASE).split("/")
    name = parts[0] if len(parts) == 1 else f"{parts[0]}/{{id}}" if parts[1].isdecimal() else request.path
    return request.method, name


def _object(body: bytes) -> dict[str, Any]:
    if not body:
        return {}
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise Wrong(400, "openaccess.general.invalidjson", str(problem)) from None


def _json(status: int, members: dict[str, Any]) -> Reply:
    return Reply(status, msgspec.json.encode(members), (("Content-Type", "application/json"),))
