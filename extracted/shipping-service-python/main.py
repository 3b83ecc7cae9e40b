"""Shipping as a service in Python, by the contracts alone: docs/contracts.md."""

import hashlib
import json
import logging
import os
import signal
import sys
import threading
from pathlib import Path

from control import Control, Gate
from database import Database
from door import Server
from inbox import Inbox
from relay import Relay
from shipments import CONTEXT, dispatch_next, prepare, stop
from tokens import Tokens

NAME = "shipping-service"
NEEDED = ("DATABASE_URL", "JWT_JWKS", "JWT_ISSUER")
DISPATCH_S = 0.5
BATCH = 50


def main(env):
    missing = [name for name in NEEDED if not env.get(name)]
    if missing:
        sys.exit(f"configuration: {', '.join(missing)} missing")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    # The broker's client tells of each connection.
    logging.getLogger("pika").setLevel(logging.ERROR)
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if env.get("BANYAN_LIFELINE") == "stdin":
        # Whoever started this holds the other end; when that closes, it ends.
        threading.Thread(target=lambda: end_with_starter(stopping), daemon=True).start()

    database = Database(env["DATABASE_URL"], NAME)
    issuer = env["JWT_ISSUER"]
    tokens = Tokens(json.loads(env["JWT_JWKS"]), issuer, env.get("JWT_AUDIENCE") or issuer)
    gate = Gate()
    delay_ms = int(env.get("SHIPPING_DELAY_MS") or 2_000)
    build = env.get("BUILD") or build_of(Path(__file__).parent)
    address = (env.get("HOST") or "127.0.0.1", int(env.get("PORT") or 3006))
    server = Server(address, database, tokens, build)
    url = f"http://{address[0]}:{server.server_port}"
    logging.info("listening at %s", url)

    work = [lambda: dispatch(database, gate, stopping)]
    if env.get("AMQP_URL"):
        handlers = {
            "OrderConfirmed": lambda cursor, order: prepare(cursor, order, delay_ms),
            "OrderCancelled": stop,
        }
        work.append(Inbox(env["AMQP_URL"], database, gate, CONTEXT, handlers, stopping).run)
        work.append(Relay(env["DATABASE_URL"], env["AMQP_URL"], stopping).run)
    if env.get("CONTROL_DATABASE_URL"):
        own = env.get("SELF_URL") or url
        work.append(Control(env["CONTROL_DATABASE_URL"], NAME, own, build, gate, stopping).run)
    threads = [threading.Thread(target=each, daemon=True) for each in work]
    for thread in threads:
        thread.start()
    threading.Thread(target=server.serve_forever, daemon=True).start()

    try:
        stopping.wait()
    except KeyboardInterrupt:
        stopping.set()
    server.ready = False
    for thread in threads:
        thread.join(5)
    server.shutdown()
    database.close()


def end_with_starter(stopping):
    # Not through sys.stdin, whose lock the interpreter wants at its end.
    while os.read(0, 1024):
        pass
    stopping.set()


def dispatch(database, gate, stopping):
    """Hands what is due to the carrier, a step at a time, so that a hold waits for one parcel at most."""
    while not stopping.wait(DISPATCH_S):
        try:
            for _ in range(BATCH):
                with gate.step() as may_run:
                    if not may_run:
                        break
                    with database.transaction() as cursor:
                        if not dispatch_next(cursor):
                            break
        except Exception as error:  # noqa: BLE001
            logging.warning("dispatching: %r; trying again", error)


def build_of(folder):
    """Two processes of one build run the same sources."""
    sources = hashlib.sha256()
    for file in sorted(folder.glob("*.py")):
        sources.update(file.name.encode() + b"\n" + file.read_bytes() + b"\n")
    return f"shipping-service-python@0.1.0+{sources.hexdigest()[:12]}"


if __name__ == "__main__":
    main(os.environ)
