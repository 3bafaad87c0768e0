"""The stand-in's HTTP side: identity provider, Configuration API, Events REST, Login of the Management Server."""

import asyncio
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from aiohttp import web

from tocsin.engine.contracts import Clock
from tocsin.protocols.xml import NotXml, first, read, text_of
from tocsin.standins.milestone.site import Site
from tocsin.standins.milestone.switches import Assumptions, Fault, Login
from tocsin.standins.milestone.windows import WindowsDoor

REST = "/api/rest/v1/"
SOAP = "/ManagementServer/ServerCommandServiceOAuth.svc"
SOAP_ACTION = '"http://videoos.net/2/XProtectCSServerCommand/IServerCommandService/Login"'
LARGEST_PAGE = 2000
CONNECTION_LIFE_S = 14_400.0
_LOGIN_PAGE = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body><form></form></body></html>"
_TIME = re.compile(r"gt:'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z'")


class Refusal(Exception):
    """A request that is not as it must be."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Gateway:
    """Answers requests. `stored` are the events that Events REST gives, `triggered` those that users have triggered."""

    def __init__(
        self, site: Site, login: Login, assumptions: Assumptions, clock: Clock, out: Callable[[dict[str, Any]], None]
    ) -> None:
        self.site = site
        self.login = login
        self.assumptions = assumptions
        self.faults: list[Fault] = []
        self.delay_s = 0.0
        self.stored: list[dict[str, Any]] = []
        self.triggered: list[str] = []
        self.recorder = ("http", "127.0.0.1", 7563)
        self.connection_token = ""
        """What opens a recording server: the last one that was given."""
        self.redirect_to = "https://elsewhere.example.net/"
        self._clock = clock
        self._out = out
        self._tokens: dict[str, float] = {}
        self._connection_tokens: dict[str, float] = {}
        self._windows = WindowsDoor(login)

    def revoke(self) -> None:
        """No token given so far is good any more."""
        self._tokens.clear()

    def admits(self, request: web.Request) -> bool:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        return scheme == "Bearer" and self._tokens.get(token, -1.0) > self._clock.monotonic()

    def opens(self, token: str) -> bool:
        """Whether a connection token opens a recording server."""
        return bool(token) and token == self.connection_token

    def lasts(self, token: str) -> bool:
        """Whether one that did is good still."""
        return self._connection_tokens.get(token, -1.0) > self._clock.monotonic()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        struck = self.struck(request)
        await asyncio.sleep(self.delay_s)
        if struck is not None:
            self._told(request, 0, struck.how)
            return await self.fails(request, struck.how)
        try:
            response = self._answer(request, body)
        except Refusal as refusal:
            self._told(request, refusal.status, str(refusal))
            error = {"error": {"httpCode": refusal.status, "details": [{"errorText": str(refusal)}]}}
            return web.json_response(error, status=refusal.status)
        self._told(request, response.status, "")
        return response

    def struck(self, request: web.Request) -> Fault | None:
        """The fault this request gets; one is used up."""
        return next((fault for fault in self.faults if fault.strikes(request.raw_path)), None)

    async def fails(self, request: web.Request, how: str) -> web.StreamResponse:
        if how == "silent":
            await asyncio.Event().wait()
        if how == "close" and request.transport is not None:
            request.transport.close()
        if how == "page":
            return web.Response(body=_LOGIN_PAGE, content_type="text/html")
        if how == "redirect":
            return web.Response(status=302, headers={"Location": self.redirect_to})
        return web.Response(status=int(how) if how.isdecimal() else 500, text="made to fail")

    def _answer(self, request: web.Request, body: bytes) -> web.Response:
        path = request.path
        if path.lower() == "/api/.well-known/uris":
            return self._uris(request)
        if path.lower().endswith("/idp/connect/token"):
            return self._token(request, body)
        if not self.admits(request):
            raise Refusal(401, "no token, or one that is not good")
        if path == SOAP:
            return self._soap(request, body)
        if request.method == "POST" and path == f"{REST}events":
            return self._triggered(body)
        if request.method != "GET" or not path.startswith(REST):
            raise Refusal(404, "no such resource")
        return self._resource(path.removeprefix(REST), parse_qsl(request.query_string, keep_blank_values=True))

    def _uris(self, request: web.Request) -> web.Response:
        own = f"{request.scheme}://{request.host}/"
        gateways: object = [f"{own}API/"] if self.assumptions.gateways == "list" else f"{own}API/"
        told = {
            "ProductVersion": "25.2.16023.1", "UnsecureManagementServer": own, "SecureManagementServer": own,
            "IdentityProvider": f"{own}IDP", "ApiGateways": gateways,
        }  # fmt: skip
        return web.json_response(told)

    def _token(self, request: web.Request, body: bytes) -> web.Response:
        expected = "/api/idp/connect/token" if self.assumptions.identity_provider == "gateway" else "/idp/connect/token"
        if request.path.lower() != ("/idp/connect/token" if self.login.windows else expected):
            raise Refusal(404, "not the identity provider")
        if request.method != "POST" or request.content_type != "application/x-www-form-urlencoded":
            raise Refusal(400, "a form is expected")
        form = dict(parse_qsl(body.decode("ascii", "replace"), keep_blank_values=True))
        if self.login.windows:
            return self._windows_token(request, form)
        if form.keys() != {"grant_type", "username", "password", "client_id"} or form["grant_type"] != "password":
            return _refused("invalid_request", "grant_type, username, password and client_id are expected")
        if form["client_id"] != "GrantValidatorClient":
            return _refused("invalid_client", "")
        if self.login.locked:
            return _refused("invalid_grant", "LockedOut")
        if (form["username"], form["password"]) != (self.login.username, self.login.password):
            return _refused("invalid_grant", "invalid_username_or_password")
        return self.granted()

    def _windows_token(self, request: web.Request, form: Mapping[str, str]) -> web.Response:
        if challenge := self._windows.challenge(request):
            return web.Response(status=401, headers={"WWW-Authenticate": challenge})
        if form != {"grant_type": "windows_credentials", "client_id": "GrantValidatorClient"}:
            return _refused("invalid_request", "grant_type=windows_credentials and client_id are expected")
        return self.granted()

    def granted(self) -> web.Response:
        token = secrets.token_urlsafe(32)
        self._tokens[token] = self._clock.monotonic() + self.login.life_s
        told = {"access_token": token, "expires_in": 3600, "token_type": "Bearer", "scope": "managementserver"}
        return web.json_response(told)

    def _triggered(self, body: bytes) -> web.Response:
        """Users may trigger user-defined events (4.7)."""
        try:
            event = msgspec.json.decode(body, type=dict[str, str])
        except msgspec.DecodeError:
            raise Refusal(400, "an event is expected") from None
        known = self.site.collection("userDefinedEvents", self.recorder) or []
        name = next((one["name"] for one in known if {"type": one["id"]} == event), None)
        if name is None or not self.assumptions.administrator:
            raise Refusal(403 if name else 400, "no event type that this user may trigger")
        self.triggered.append(name)
        told = {"id": secrets.token_hex(8), "type": event["type"], "source": f"userDefinedEvents/{event['type']}"}
        return web.json_response({"data": told}, status=202)

    def _soap(self, request: web.Request, body: bytes) -> web.Response:
        if request.headers.get("SOAPAction") != SOAP_ACTION:
            raise Refusal(500, "SOAPAction is not Login")
        try:
            login = first(read(body), "Login")
        except NotXml as error:
            raise Refusal(500, str(error)) from None
        if login is None or not text_of(first(login, "instanceId")) or first(login, "currentToken") is None:
            raise Refusal(500, "Login needs instanceId and currentToken")
        self.connection_token = f"TOKEN#{secrets.token_hex(8)}"
        self._connection_tokens[self.connection_token] = self._clock.monotonic() + CONNECTION_LIFE_S
        answer = (
            '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
            '<LoginResponse xmlns="http://videoos.net/2/XProtectCSServerCommand"><LoginResult>'
            "<RegistrationTime>2025-03-08T06:00:00.0000000Z</RegistrationTime>"
            "<TimeToLive><MicroSeconds>14400000000</MicroSeconds></TimeToLive>"
            f"<Token>{self.connection_token}</Token></LoginResult></LoginResponse></s:Body></s:Envelope>"
        )
        return web.Response(text=answer, content_type="text/xml")

    def _resource(self, path: str, query: Sequence[tuple[str, str]]) -> web.Response:
        given = dict(query)
        if path == "roles" and not self.assumptions.administrator:
            raise Refusal(403, "not for this user")
        if path == "events":
            return _array(self._page(self._events(given), given))
        _only(given, {"disabled", "page", "size"})
        name, _, rest = path.partition("/")
        if not rest:
            items = self.site.collection(name, self.recorder)
            if items is None:
                raise Refusal(400 if name == "hardwareDriverSettings" else 404, "no such collection")
            there = items if "disabled" in given else [one for one in items if one.get("enabled", True)]
            return _array(self._page(there, given))
        return self._inner(name, rest, given)

    def _inner(self, name: str, rest: str, given: Mapping[str, str]) -> web.Response:
        key, _, inner = rest.partition("/")
        where = self.assumptions.driver_settings
        if name == "cameraGroups" and inner == "cameras" and (members := self.site.members(key)) is not None:
            return _array(self._page(members, given))
        if (name, inner) in (("hardwareDriverSettings", ""), ("hardware", "settings")):
            settings = self.site.driver_settings(key)
            if settings is None or where == "none" or (where == "older") != (inner == "settings"):
                raise Refusal(404, "no driver settings")
            return web.json_response({"data": settings if where == "older" else {where: settings}})
        items = self.site.collection(name, self.recorder) if not inner else None
        found = next((item for item in items or () if item["id"] == key), None)
        if found is None:
            raise Refusal(404, "no such object")
        return web.json_response({"data": found})

    def _events(self, given: Mapping[str, str]) -> list[dict[str, Any]]:
        _only(given, {"time", "orderBy", "page", "size", "include"})
        if not _TIME.fullmatch(given.get("time", "")) or given.get("orderBy") != "desc:'time'":
            raise Refusal(400, "time=gt:'…' and orderBy=desc:'time' are expected")
        after = given["time"][4:-1]
        return sorted((one for one in self.stored if one["time"] > after), key=lambda one: one["time"], reverse=True)

    def _page(self, items: Sequence[dict[str, Any]], given: Mapping[str, str]) -> Sequence[dict[str, Any]]:
        if self.assumptions.paging == "ignored" or "page" not in given:
            return items
        page, size = _whole(given, "page", 10_000), _whole(given, "size", LARGEST_PAGE)
        if self.assumptions.paging == "size-ignored":
            return items if page == 0 else []
        return items[page * size : (page + 1) * size]

    def _told(self, request: web.Request, status: int, why: str) -> None:
        self._out({"request": f"{request.method} {request.raw_path}", "status": status, "why": why})


def _refused(error: str, description: str) -> web.Response:
    return web.json_response({"error": error, "error_description": description}, status=400)


def _array(items: Sequence[dict[str, Any]]) -> web.Response:
    return web.Response(body=msgspec.json.encode({"array": items}), content_type="application/json")


def _only(given: Mapping[str, str], allowed: set[str]) -> None:
    if foreign := given.keys() - allowed:
        raise Refusal(400, f"unknown parameter {min(foreign)}")


def _whole(given: Mapping[str, str], name: str, most: int) -> int:
    text = given.get(name, "")
    if not (text.isascii() and text.isdecimal() and int(text) <= most):
        raise Refusal(400, f"{name} is a number up to {most}")
    return int(text)
