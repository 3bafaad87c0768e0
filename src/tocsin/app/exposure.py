"""What a configuration leaves open, as warnings: unverified TLS, plain links, events that could not be addressed,
and what will hardly do what is meant.

Goes by the settings' names, which mean the same in every type: `tls`, `key`, `hosts`, `url`, `urls`, `account`, `to`.
"""

from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from tocsin.api.proxies import within
from tocsin.app.settings import Configuration
from tocsin.config.document import Document
from tocsin.config.listening import is_loopback
from tocsin.config.positions import KeyPath
from tocsin.config.problems import Problem
from tocsin.destinations.doubts import common_doubts
from tocsin.protocols.addressing import NOTATIONS

_SHOWN = 5
_ADVISED_TOKEN = 16
_ADVISED_PASSWORD = 8


def exposure_warnings(document: Document, settings: Configuration) -> Iterator[Problem]:
    """Warnings at the lines concerned. Links that stay on this machine are not warned of."""
    api = settings.api
    if api.insecure and api.tls is None and not is_loopback(api.listen):
        message = f"plain HTTP on {api.listen}: tokens, events and photos can be read on the way"
        yield document.problem(("api", "insecure"), message, 'tls = { cert = "…", key = "…" }', warn=True)
    yield from _believed(document, settings)
    yield from _guessable(document, settings)
    yield from _links(document, settings)
    for source in settings.sources:
        yield from _source(document, entry_place(document, "sources", source.name), source)
    for destination in settings.destinations:
        place = entry_place(document, "destinations", destination.name)
        yield from _link(document, place, destination)
        yield from _address(document, place, destination)
        for doubt in (*common_doubts(destination), *destination.doubts()):
            yield document.problem((*place, *doubt.place), doubt.message, doubt.hint, warn=True)
    for system in settings.systems:
        if getattr(system, "tls", None) is not None:
            yield from _unverified(document, entry_place(document, "systems", system.name), system, "system")


def _believed(document: Document, settings: Configuration) -> Iterator[Problem]:
    place, proxies = ("api", "trusted_proxies"), settings.api.proxies
    for n, network in enumerate(proxies):
        if network.prefixlen == 0:
            message = f"{network} is everybody: whoever calls may say that it is any address"
            yield document.problem((*place, n), message, "the addresses of the proxies alone", warn=True)
    if any(within(ip_address(here), proxies) for here in ("127.0.0.1", "::1")):
        for missing in _open_to_this_machine(settings):
            message = f"no {missing}: behind a proxy here that sends no X-Forwarded-For everybody is this machine"
            yield document.problem(place, message, f"give {missing}", warn=True)


def _open_to_this_machine(settings: Configuration) -> Iterator[str]:
    if not settings.api.tokens:
        yield "[api] tokens"
    if not settings.console.users:
        yield "[console] users"


def _guessable(document: Document, settings: Configuration) -> Iterator[Problem]:
    for n, one in enumerate(settings.api.tokens):
        if len(one.token.reveal()) < _ADVISED_TOKEN:
            message = f'the token "{one.name}" can be guessed: it is shorter than {_ADVISED_TOKEN} characters'
            yield document.problem(("api", "tokens", n), message, "a long random one", warn=True)
    for n, user in enumerate(settings.control.users if settings.control else ()):
        if len(user.password.reveal()) < _ADVISED_PASSWORD:
            message = f'the password of "{user.name}" can be guessed: it is shorter than {_ADVISED_PASSWORD} characters'
            yield document.problem(("control", "users", n), message, "a longer one", warn=True)


def _links(document: Document, settings: Configuration) -> Iterator[Problem]:
    public = settings.gateway.public_url
    if public.startswith("http://") and not _is_here(urlsplit(public).hostname or ""):
        message = "event links would show photos over plain HTTP to anyone on the way"
        yield document.problem(("gateway", "public_url"), message, "https://…", warn=True)
    for destination in settings.destinations if not public else ():
        if destination.links and destination.carries_links():
            place = (*entry_place(document, "destinations", destination.name), "links")
            message = "no event has a page to link to without gateway.public_url"
            yield document.problem(place, message, 'public_url = "https://…", as browsers reach the gateway', warn=True)


def entry_place(document: Document, table: str, name: str) -> KeyPath:
    """Where an entry of this name is written: those that cannot be used are written between them too."""
    entries = document.data.get(table, [])
    return (table, next((n for n, entry in enumerate(entries) if entry.get("name") == name), 0))


def _source(document: Document, place: KeyPath, source: Any) -> Iterator[Problem]:
    """Only of types whose accounts can have a key; the others say who may connect, or the configuration is refused."""
    yield from _unverified(document, place, source, "receiver")
    if source.tls is not None or not source.listening() or is_loopback(source.listen):
        return
    open_ = [account.account for account in getattr(source, "accounts", ()) if getattr(account, "key", "") is None]
    if open_:
        message = f"plain, and without a key anyone on the network can report as {_some(open_)}"
        yield document.problem((*place, "accounts"), message, "give each account its key, or tls here", warn=True)


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _link(document: Document, place: KeyPath, destination: Any) -> Iterator[Problem]:
    yield from _unverified(document, place, destination, "station")
    where = _plain_peers(destination)
    if where and getattr(destination, "key", None) is None:
        message = f"events can be read and changed on the way to {_some(where)}: neither TLS nor a message key"
        yield document.problem(place, message, "tls or key, as agreed with the station", warn=True)


def _unverified(document: Document, place: KeyPath, entry: Any, who: str) -> Iterator[Problem]:
    if getattr(entry.tls, "insecure", False):
        message = f"the {who}'s certificate is not checked: anyone on the way can pass for the {who}"
        yield document.problem((*place, "tls", "insecure"), message, "ca_file or pin instead", warn=True)


def _plain_peers(destination: Any) -> list[str]:
    """The peers beyond this machine that are told in clear."""
    oauth = getattr(destination, "oauth", None)
    urls = [getattr(destination, "url", ""), *getattr(destination, "urls", ()), oauth.token_url if oauth else ""]
    if any(urls):
        return [url for url in urls if url.startswith("http://") and not _is_here(urlsplit(url).hostname or "")]
    mode = getattr(destination.tls, "mode", "off" if destination.tls is None else "required")
    plain = mode in ("off", "opportunistic")
    peers = [*getattr(destination, "hosts", ()), *filter(None, [getattr(destination, "listen", "")])]
    return [peer for peer in peers if plain and not _is_here(_host(peer))]


def _host(peer: str) -> str:
    """Of `host`, `host:port`, `[IPv6]:port` or a bare IPv6 address."""
    if peer.startswith("["):
        return peer[1:].partition("]")[0]
    return peer.partition(":")[0] if peer.count(":") == 1 else peer


def _is_here(host: str) -> bool:
    return is_loopback(f"[{host}]:0" if ":" in host else f"{host}:0")


def _address(document: Document, place: KeyPath, destination: Any) -> Iterator[Problem]:
    fields = type(destination).model_fields
    if "account" in fields and destination.account is None:
        polled = ", and the station is not polled" if "supervision" in fields else ""
        message = f"no account: events that bring no address are set aside{polled}"
        yield document.problem(
            place, message, f'account = "{_example(destination)}", as the station gave it', warn=True
        )
    if "to" in fields and not destination.to:
        message = "no to: events whose device names no recipient are set aside"
        yield document.problem(place, message, 'to = ["guard@example.net"]', warn=True)


def _example(destination: Any) -> str:
    notation = NOTATIONS.get(getattr(type(destination), "prefix", "").lower())
    return notation.example.partition(":")[2] if notation else "9280"
