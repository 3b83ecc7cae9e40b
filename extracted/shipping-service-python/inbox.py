"""Hears the events of the queue that both sides share, and handles each once."""

import json
import logging
import random
from contextlib import closing
from datetime import datetime, timezone

import pika
import psycopg2

from broker import DEAD, EVENTS, ensure_exchange
from database import owner_of

ATTEMPTS = 6
MAX_STARTS = 3
PREFETCH = 50
PAUSE_S = 0.25


class NotOwner(Exception):
    pass


class Unreadable(Exception):
    pass


class Inbox:
    """
    :param handlers: by the event's type; each is called with a cursor in the transaction that notes the event as handled,
        and with the payload
    """

    def __init__(self, url, database, gate, context, handlers, stopping):
        self._url, self._database, self._gate, self._stopping = url, database, gate, stopping
        self._context, self._handlers, self._queue = context, handlers, f"banyan.{context}"
        self._begun = set()

    def run(self):
        while not self._stopping.is_set():
            try:
                with closing(pika.BlockingConnection(pika.URLParameters(self._url))) as connection:
                    # The queue is there before this side owns anything: what is told meanwhile waits in it.
                    self._declare(connection)
                    self._consume_while_owner(connection)
            except (pika.exceptions.AMQPError, psycopg2.Error, OSError) as error:
                logging.warning("hearing events: %r; trying again", error)
                self._stopping.wait(1)

    def _declare(self, connection):
        """As every other consumer declares it; a broker refuses a queue that is there with other arguments."""
        quorum = {"x-queue-type": "quorum", "x-delivery-limit": 1_000_000}
        dead = {
            "x-dead-letter-exchange": DEAD,
            "x-dead-letter-routing-key": self._queue,
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",
        }
        ensure_exchange(connection, EVENTS, "topic")
        ensure_exchange(connection, DEAD, "direct")
        channel = connection.channel()
        channel.queue_declare(f"{self._queue}.dead", durable=True, arguments=quorum)
        channel.queue_declare(self._queue, durable=True, arguments=quorum | dead)
        channel.queue_bind(f"{self._queue}.dead", DEAD, self._queue)
        for kind in self._handlers:
            channel.queue_bind(self._queue, EVENTS, kind)
        channel.close()

    def _consume_while_owner(self, connection):
        while not self._stopping.is_set():
            if self._is_owner():
                channel = connection.channel()
                channel.basic_qos(prefetch_count=PREFETCH)
                self._consume(connection, channel)
                # What was taken and not acknowledged goes back, for whoever owns the context now.
                channel.close()
            connection.sleep(PAUSE_S)

    def _consume(self, connection, channel):
        for method, properties, body in channel.consume(self._queue, inactivity_timeout=PAUSE_S):
            if self._stopping.is_set():
                return
            if method is None:
                if self._is_owner():
                    continue
                return
            try:
                self._deliver(connection, method, properties, body)
            except NotOwner:
                return
            channel.basic_ack(method.delivery_tag)

    def _deliver(self, connection, method, properties, body):
        """Returns when the message may be acknowledged: handled, known already, or safe among the dead letters."""
        try:
            event_id, kind, payload = read_event(properties, body)
        except Unreadable as error:
            return self._bury(connection, properties, body, "unreadable", 0, str(error))
        if kind not in self._handlers:
            return self._bury(connection, properties, body, "no-handler", 0, f"no handler for {kind}")
        # Once a process: one that has it in hand again, after the database was away, has not died of it.
        if method.redelivered and event_id not in self._begun and self._count_start(event_id) > MAX_STARTS:
            error = f"begun {MAX_STARTS} times and never ended"
            return self._bury(connection, properties, body, "poison", 0, error)
        self._begun.add(event_id)
        while True:
            try:
                self._handle_once(connection, event_id, kind, payload)
                return self._begun.discard(event_id)
            except (psycopg2.OperationalError, psycopg2.InterfaceError):
                # The database is away: that is nobody's failed attempt.
                raise
            except NotOwner:
                self._begun.discard(event_id)
                self._forget_starts(event_id)
                raise
            except Exception as error:  # noqa: BLE001
                attempts = self._count_failure(event_id, repr(error))
                logging.warning("handling %s %s failed for the %s. time: %r", kind, event_id, attempts, error)
                if attempts >= ATTEMPTS:
                    self._begun.discard(event_id)
                    return self._bury(connection, properties, body, "failed", attempts, repr(error))
                connection.sleep(0.25 * 2 ** (attempts - 1) * random.uniform(0.8, 1.2))

    def _handle_once(self, connection, event_id, kind, payload):
        while True:
            with self._gate.step() as may_run:
                if may_run:
                    with self._database.transaction() as cursor:
                        if owner_of(cursor, self._context) != "service":
                            raise NotOwner
                        cursor.execute(
                            """insert into banyan.inbox (consumer, event_id) values (%s, %s)
                               on conflict do nothing returning 1""",
                            (self._queue, event_id),
                        )
                        if cursor.fetchone():
                            self._handlers[kind](cursor, payload)
                        cursor.execute(
                            "delete from banyan.inbox_failures where consumer = %s and event_id = %s",
                            (self._queue, event_id),
                        )
                    return
            if self._stopping.is_set():
                raise NotOwner
            connection.sleep(0.05)

    def _is_owner(self):
        with self._database.transaction() as cursor:
            return owner_of(cursor, self._context) == "service"

    def _count_start(self, event_id):
        """A message that comes again may be what ended the process that had it. The first start is not counted."""
        with self._database.transaction() as cursor:
            cursor.execute(
                """insert into banyan.inbox_failures as f (consumer, event_id, starts) values (%s, %s, 2)
                   on conflict (consumer, event_id) do update
                     set starts = f.starts + 1, updated_at = clock_timestamp()
                   returning starts""",
                (self._queue, event_id),
            )
            return cursor.fetchone()[0]

    def _forget_starts(self, event_id):
        with self._database.transaction() as cursor:
            cursor.execute(
                "update banyan.inbox_failures set starts = 0 where consumer = %s and event_id = %s",
                (self._queue, event_id),
            )

    def _count_failure(self, event_id, error):
        with self._database.transaction() as cursor:
            cursor.execute(
                """insert into banyan.inbox_failures as f (consumer, event_id, attempts, error) values (%s, %s, 1, %s)
                   on conflict (consumer, event_id) do update
                     set attempts = f.attempts + 1, starts = 0, error = excluded.error, updated_at = clock_timestamp()
                   returning attempts""",
                (self._queue, event_id, error[:2_000]),
            )
            return cursor.fetchone()[0]

    def _bury(self, connection, properties, body, reason, attempts, error):
        headers = {name: value for name, value in (properties.headers or {}).items() if not name.startswith("x-")}
        headers |= {
            "x-banyan-queue": self._queue,
            "x-banyan-reason": reason,
            "x-banyan-attempts": attempts,
            "x-banyan-error": error[:2_000],
            "x-banyan-dead-at": datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        }
        channel = connection.channel()
        channel.confirm_delivery()
        channel.basic_publish(
            DEAD,
            self._queue,
            body,
            pika.BasicProperties(
                message_id=properties.message_id,
                content_type=properties.content_type,
                delivery_mode=2,
                headers=headers,
            ),
            mandatory=True,
        )
        channel.close()
        logging.error("%s moved to the dead letters: %s", properties.message_id, reason)
        # A replay begins with a clean slate.
        with self._database.transaction() as cursor:
            cursor.execute(
                "delete from banyan.inbox_failures where consumer = %s and event_id = %s",
                (self._queue, properties.message_id),
            )


def read_event(properties, body):
    headers = properties.headers or {}
    for name in ("ce-id", "ce-source", "ce-type", "ce-subject", "ce-time", "ce-sequence"):
        if not headers.get(name):
            raise Unreadable(f"the header {name} is missing")
    try:
        return headers["ce-id"], headers["ce-type"], json.loads(body)
    except ValueError as error:
        raise Unreadable(f"the body is not JSON: {error}") from error
