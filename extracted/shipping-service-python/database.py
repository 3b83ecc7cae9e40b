"""A small pool: each `with` is one transaction, committed at its end and rolled back when it throws."""

import threading
from contextlib import contextmanager

from psycopg2.pool import ThreadedConnectionPool

SIZE = 10


class Database:
    def __init__(self, url, name):
        self._pool = ThreadedConnectionPool(0, SIZE, url, application_name=name, connect_timeout=2)
        # The pool refuses who comes when all are taken; here they wait.
        self._free = threading.Semaphore(SIZE)

    @contextmanager
    def transaction(self):
        with self._free:
            connection = self._pool.getconn()
            broken = True
            try:
                with connection, connection.cursor() as cursor:
                    yield cursor
                broken = False
            finally:
                # After an error nobody asks whether it was the connection's: the next one is new.
                self._pool.putconn(connection, close=broken)

    def close(self):
        self._pool.closeall()


def owner_of(cursor, context):
    """Whose the context is. Share-locked to the end of the transaction, so that a switch waits for it: ask before the
    first write, and write nothing unless the answer is `service`."""
    cursor.execute("select owner from banyan.owner_of(%s)", (context,))
    row = cursor.fetchone()
    return row[0] if row else None
