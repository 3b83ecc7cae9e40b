"""Publishes what `banyan.emit` has put into the outbox: at least once, and in order per stream."""

import logging
import time
from contextlib import closing
from datetime import timezone

import pika
import psycopg2

from broker import EVENTS, ensure_exchange

BATCH = 200
POLL_S = 0.05
TRY_S = 0.25
PURGE_S = 60
# Every relay of a database asks for this one lock, whatever it is written in: one of them leads.
LOCK = "select pg_try_advisory_lock(hashtextextended('banyan relay', 0))"
# A process that is stopped rather than ended must not keep the lock.
OPTIONS = "-c idle_session_timeout=3000 -c idle_in_transaction_session_timeout=2000"


class Relay:
    def __init__(self, database_url, amqp_url, stopping):
        self._database_url, self._amqp_url, self._stopping = database_url, amqp_url, stopping

    def run(self):
        while not self._stopping.is_set():
            try:
                with closing(
                    psycopg2.connect(
                        self._database_url, options=OPTIONS, connect_timeout=2, application_name="banyan relay"
                    )
                ) as session:
                    session.autocommit = True
                    with session.cursor() as cursor:
                        if self._leads(cursor):
                            self._lead(cursor)
            except (pika.exceptions.AMQPError, psycopg2.Error, OSError) as error:
                logging.warning("relaying: %r; trying again", error)
                self._stopping.wait(1)

    def _leads(self, cursor):
        while not self._stopping.is_set():
            cursor.execute(LOCK)
            if cursor.fetchone()[0]:
                return True
            self._stopping.wait(TRY_S)
        return False

    def _lead(self, cursor):
        with closing(pika.BlockingConnection(pika.URLParameters(self._amqp_url))) as connection:
            ensure_exchange(connection, EVENTS, "topic")
            channel = connection.channel()
            channel.confirm_delivery()
            purged = float("-inf")
            while not self._stopping.is_set():
                published, left = self._publish(cursor, channel)
                if published:
                    cursor.execute(
                        "update banyan.outbox set published_at = clock_timestamp() where id = any(%s)", (published,)
                    )
                if time.monotonic() - purged >= PURGE_S:
                    purged = time.monotonic()
                    self._purge(cursor)
                # Also keeps the connection's heartbeat.
                connection.sleep(TRY_S if left else POLL_S)

    def _publish(self, cursor, channel):
        """One after the other, each confirmed: what was not, holds back the later ones of its stream, and no others."""
        # Never `id > the last one`: a transaction that began earlier may commit later, with lower ids.
        cursor.execute(
            """select id, event_id::text, context, term, stream, type, version, headers, payload::text, created_at
               from banyan.outbox where published_at is null order by id limit %s""",
            (BATCH,),
        )
        published, troubled = [], set()
        for row in cursor.fetchall():
            row_id, event_id, context, term, stream, kind, version, headers, payload, created_at = row
            if stream in troubled:
                continue
            told = {
                **{name: str(value) for name, value in headers.items()},
                "ce-specversion": "1.0",
                "ce-id": event_id,
                "ce-source": f"/{context}",
                "ce-type": kind,
                "ce-subject": stream,
                "ce-time": created_at.astimezone(timezone.utc)
                .isoformat(timespec="milliseconds")
                .replace("+00:00", "Z"),
                "ce-datacontenttype": "application/json",
                "ce-dataversion": str(version),
                "ce-sequence": f"{term}.{row_id}",
            }
            properties = pika.BasicProperties(
                message_id=event_id,
                type=kind,
                content_type="application/json",
                content_encoding="utf-8",
                delivery_mode=2,
                timestamp=int(created_at.timestamp()),
                headers=told,
            )
            try:
                channel.basic_publish(EVENTS, kind, payload.encode(), properties, mandatory=True)
                published.append(row_id)
            except (pika.exceptions.UnroutableError, pika.exceptions.NackError) as error:
                logging.warning("the broker does not take %s of %s: %r", kind, stream, error)
                troubled.add(stream)
        return published, bool(troubled)

    def _purge(self, cursor):
        cursor.execute(
            """delete from banyan.outbox where id in (
                 select id from banyan.outbox where published_at < clock_timestamp() - interval '7 days'
                 order by id limit 2000)"""
        )
        # As long as an outbox keeps an event, and as old as one may be that somebody replays.
        cursor.execute(
            """delete from banyan.inbox where (consumer, event_id) in (
                 select consumer, event_id from banyan.inbox where handled_at < clock_timestamp() - interval '21 days'
                 order by handled_at limit 2000)"""
        )
        cursor.execute("delete from banyan.inbox_failures where updated_at < clock_timestamp() - interval '21 days'")
