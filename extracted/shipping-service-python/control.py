"""What the process tells the control database, and learns there: that it lives, and when its work must stand still."""

import logging
import threading
import time
import uuid
from contextlib import closing, contextmanager

import psycopg2

from shipments import CONTEXT

POLL_S = 0.25
RENEW_S = 1.0
LEASE = "3 seconds"


class Gate:
    """Background work goes through here in short steps; none begins while the context is held."""

    def __init__(self):
        self._changed = threading.Condition()
        self._running = 0
        self._held = False

    @contextmanager
    def step(self):
        """Yields whether the step may run."""
        with self._changed:
            may_run = not self._held
            self._running += may_run
        try:
            yield may_run
        finally:
            with self._changed:
                self._running -= may_run
                self._changed.notify_all()

    def hold(self, held):
        with self._changed:
            self._held = held

    def drained(self, within_s):
        with self._changed:
            return self._changed.wait_for(lambda: self._running == 0, within_s)


class Control:
    """Keeps a row in `banyan.instances` fresh, by which proxies find the process and the mover learns its build, and one
    in `banyan.subscribers`, for which the mover waits before it fences."""

    def __init__(self, url, name, self_url, build, gate, stopping):
        self._url = url
        self._instance = (name, f"{name}-{uuid.uuid4()}", self_url, build)
        self._gate = gate
        self._stopping = stopping

    def run(self):
        while not self._stopping.is_set():
            try:
                # Slower than this a statement must not be: the lease would end meanwhile.
                options = "-c statement_timeout=1000"
                name = f"banyan instance {self._instance[1]}"
                with closing(
                    psycopg2.connect(self._url, options=options, connect_timeout=2, application_name=name)
                ) as connection:
                    connection.autocommit = True
                    with connection.cursor() as cursor:
                        self._watch(cursor)
                        self._leave(cursor)
            except psycopg2.Error as error:
                # What was known last goes on: an outage of the control database must not stop a shop.
                logging.warning("the control database is away: %s", error)
                self._stopping.wait(0.5)

    def _watch(self, cursor):
        renewed = float("-inf")
        while not self._stopping.is_set():
            # Registered first and read second: what is read here, every later mover waits for.
            if time.monotonic() - renewed >= RENEW_S:
                renewed = time.monotonic()
                self._renew(cursor)
            self._acknowledge(cursor)
            self._stopping.wait(POLL_S)

    def _renew(self, cursor):
        cursor.execute(
            """insert into banyan.instances (service, id, url, build) values (%s, %s, %s, %s)
               on conflict (service, id) do update
                 set url = excluded.url, build = excluded.build, heartbeat_at = clock_timestamp()""",
            self._instance,
        )
        cursor.execute(
            f"""insert into banyan.subscribers (id, kind, context, lease_until)
                select %s, 'worker', context, clock_timestamp() + interval '{LEASE}'
                from banyan.contexts where context = %s
                on conflict (id, context) do update set lease_until = excluded.lease_until""",
            (self._instance[1], CONTEXT),
        )

    def _acknowledge(self, cursor):
        """An epoch is acknowledged only once nothing that writes the context is under way."""
        cursor.execute("select epoch, hold from banyan.contexts where context = %s", (CONTEXT,))
        row = cursor.fetchone()
        if row is None:
            return
        epoch, held = row
        self._gate.hold(held)
        if held and not self._gate.drained(POLL_S):
            return
        cursor.execute(
            """update banyan.subscribers set epoch_seen = %s, drained = %s
               where id = %s and context = %s and (epoch_seen, drained) is distinct from (%s, %s)""",
            (epoch, held, self._instance[1], CONTEXT, epoch, held),
        )

    def _leave(self, cursor):
        """So that no mover waits for who has gone, and no proxy asks it."""
        cursor.execute("delete from banyan.instances where id = %s", (self._instance[1],))
        cursor.execute("delete from banyan.subscribers where id = %s", (self._instance[1],))
