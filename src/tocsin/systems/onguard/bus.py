"""OnGuard's message bus, RabbitMQ (connectors.md 5.8): a durable subscription, each message done before it is
acknowledged. Login, virtual host and the form of the messages are assumptions, so all of them are settings.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

import aio_pika
import msgspec
from aio_pika.abc import AbstractIncomingMessage
from aio_pika.exceptions import (
    AMQPError,
    ChannelInvalidStateError,
    ChannelNotFoundEntity,
    ProbableAuthenticationError,
)
from msgspec import Struct

from tocsin.engine.systems import LoginRefused, Misconfigured, ProtocolFault, Unreachable
from tocsin.systems.onguard.answers import items
from tocsin.systems.onguard.session import Session
from tocsin.systems.onguard.settings import AmqpSettings
from tocsin.transports.contract import Endpoint, TransportError
from tocsin.transports.pinned import checking_context_apart
from tocsin.transports.tls import explain

CONNECT_S = 10.0
CLOSE_S = 2.0
PREFETCH = 50
HEARTBEAT_S = 20
Take = Callable[[Any], Awaitable[None]]
"""Is given a message's content; returns when it is safe."""


class Subscription(Struct, frozen=True):
    """What OnGuard says of a subscription; fields as it names them."""

    id: int
    queue_name: str
    message_broker_hostname: str = ""
    message_broker_port: int = 5671
    requires_secure_connection: bool = True
    description: str = ""
    is_durable: bool = False


async def subscribed(session: Session, settings: AmqpSettings, description: str) -> Subscription:
    """Our subscription, made if there is none; what else carries our description is removed. Raises SystemFault."""
    body = await session.ask("GET", "event_subscriptions", {"page_size": 100})
    rows = [row for row in items(body, "event_subscriptions") if row.get("description") == description]
    usable = [row for row in rows if row.get("is_durable") is True and row.get("filter", "") == settings.filter]
    for row in rows:
        if row not in usable[:1]:
            await session.ask("DELETE", f"event_subscriptions/{int(row.get('id', 0))}")
    if usable:
        return _read(await session.ask("GET", f"event_subscriptions/{int(usable[0].get('id', 0))}"))
    wanted = {"description": description, "filter": settings.filter, "is_durable": True}
    return _read(await session.ask("POST", "event_subscriptions", body=wanted))


def description_of(system: str) -> str:
    """By which we know our subscription again."""
    return f"tocsin {system}: alarms"


async def probed(session: Session, settings: AmqpSettings, system: str) -> str:
    """Subscribe and find the queue, without taking anything from it: a sentence. Raises SystemFault."""
    where = await subscribed(session, settings, description_of(system))
    endpoint = _endpoint(settings, where)
    connection = await _connected(settings, endpoint, await _context(settings, where, endpoint))
    try:
        queue = await (await connection.channel()).get_queue(where.queue_name)
    except AMQPError as error:
        raise Unreachable(f"the message broker {endpoint} has no queue {where.queue_name}: {error}") from error
    finally:
        await _closed(connection)
    return f"{endpoint}, {queue.declaration_result.message_count} messages wait in {where.queue_name}"


async def renewed(session: Session, settings: AmqpSettings, old: Subscription) -> Subscription:
    """Its queue is gone: another one. Raises SystemFault."""
    await session.ask("DELETE", f"event_subscriptions/{old.id}")
    return await subscribed(session, settings, old.description)


async def consume(settings: AmqpSettings, where: Subscription, take: Take) -> None:
    """Take message after message, in the order of the queue, until cancelled. Raises SystemFault when the broker is
    gone: what was not acknowledged comes again.
    """
    endpoint = _endpoint(settings, where)
    try:
        connection = await _connected(settings, endpoint, await _context(settings, where, endpoint))
        try:
            channel = await connection.channel()
            await channel.set_qos(prefetch_count=PREFETCH)
            queue = await channel.get_queue(where.queue_name)
            async with queue.iterator() as messages:
                async for message in messages:
                    await _done(message, take)
        finally:
            await _closed(connection)
    except ChannelNotFoundEntity:
        raise
    except (AMQPError, ChannelInvalidStateError, ConnectionError) as error:
        raise Unreachable(
            f"the message broker {endpoint} ended the connection: {error or type(error).__name__}"
        ) from error
    raise Unreachable(f"the message broker {endpoint} ended the subscription")


async def _done(message: AbstractIncomingMessage, take: Take) -> None:
    """What is no JSON never will be: it is handed back, for the broker to drop or keep aside."""
    try:
        content = msgspec.json.decode(message.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        await message.reject(requeue=False)
        return
    await take(content)
    await message.ack()


async def _connected(
    settings: AmqpSettings, endpoint: Endpoint, context: ssl.SSLContext | None
) -> aio_pika.abc.AbstractConnection:
    try:
        async with asyncio.timeout(CONNECT_S):
            return await aio_pika.connect(
                host=endpoint.host,
                port=endpoint.port,
                login=settings.username,
                password=settings.password.reveal(),
                virtualhost=settings.virtual_host,
                ssl=context is not None,
                ssl_context=context,
                heartbeat=HEARTBEAT_S,
            )
    except ProbableAuthenticationError as error:
        raise LoginRefused(f"the message broker {endpoint} refuses amqp.username and amqp.password") from error
    except TimeoutError as error:
        raise Unreachable(f"the message broker {endpoint} did not answer within {CONNECT_S:g} s") from error
    except OSError as error:  # the library's own wear a system error's number that is none
        raise Unreachable(explain(error.__cause__ or error, endpoint)) from error


async def _closed(connection: aio_pika.abc.AbstractConnection) -> None:
    with contextlib.suppress(AMQPError, OSError, TimeoutError):
        await asyncio.wait_for(connection.close(), CLOSE_S)


def _endpoint(settings: AmqpSettings, where: Subscription) -> Endpoint:
    return Endpoint(settings.host or where.message_broker_hostname, settings.port or where.message_broker_port)


async def _context(settings: AmqpSettings, where: Subscription, endpoint: Endpoint) -> ssl.SSLContext | None:
    if settings.plain:
        return None
    if not where.requires_secure_connection:
        raise Misconfigured(
            f"the message broker {endpoint} wants a connection without TLS; amqp.plain = true allows it"
        )
    try:
        return await checking_context_apart(settings.tls.options(), endpoint)
    except TransportError as error:
        raise Misconfigured(str(error)) from error


def _read(body: dict[str, Any]) -> Subscription:
    try:
        return msgspec.convert(body, Subscription)
    except msgspec.ValidationError as error:
        raise ProtocolFault(f"the subscription is not described as expected: {error}") from error
