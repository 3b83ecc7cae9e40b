"""The HTTP side of the contract: one read, health, and problems for everything else."""

import base64
import hashlib
import json
import logging
import re
import secrets
import uuid
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

import psycopg2

from shipments import get_shipment
from tokens import InvalidToken

SHIPMENT = re.compile(r"/api/orders/([^/]+)/shipment/?")
REQUEST_ID = re.compile(r"[\w.-]{1,64}", re.ASCII)
TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
LARGEST_ID = 2**53 - 1
# RFC 9110 has given it another name than Python knows.
RENAMED = {422: "Unprocessable Content"}
# What the other side sends with every answer: a browser is as safe here, and a client cannot tell who answered.
GUARDS = {
    "Content-Security-Policy": "default-src 'self';base-uri 'self';font-src 'self' https: data:;form-action 'self';"
    "frame-ancestors 'self';img-src 'self' data:;object-src 'none';script-src 'self';script-src-attr 'none';"
    "style-src 'self' https: 'unsafe-inline';upgrade-insecure-requests",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Origin-Agent-Cluster": "?1",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
    "X-DNS-Prefetch-Control": "off",
    "X-Download-Options": "noopen",
    "X-Frame-Options": "SAMEORIGIN",
    "X-Permitted-Cross-Domain-Policies": "none",
    "X-XSS-Protection": "0",
}


class Problem(Exception):
    """An answer that is not a success (RFC 9457), with a stable code."""

    def __init__(self, status, code, detail, headers=None, **members):
        super().__init__(code)
        self.status, self.code, self.detail = status, code, detail
        self.headers, self.members = headers or {}, members


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address, database, tokens, build):
        super().__init__(address, Door)
        self.database, self.tokens, self.build = database, tokens, build
        self.ready = True


class Door(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body leave in one piece, at once.
    disable_nagle_algorithm = True
    wbufsize = -1
    # A connection on which nothing comes gives its thread back.
    timeout = 75

    def do_GET(self):
        self.path_only = urlsplit(self.path).path
        trace = TRACEPARENT.fullmatch(self.headers.get("traceparent", ""))
        self.trace_id = trace[1] if trace else secrets.token_hex(16)
        asked = self.headers.get("x-request-id", "")
        self.request_id = asked if REQUEST_ID.fullmatch(asked) else str(uuid.uuid4())
        # A body that nobody reads would be taken for the next request.
        if self.headers.get("transfer-encoding") or self.headers.get("content-length", "0") != "0":
            self.close_connection = True
        try:
            self.answer_of()
        except Problem as problem:
            self.refuse(problem)
        except psycopg2.OperationalError:
            detail = "The database cannot be reached. Try again shortly."
            self.refuse(Problem(503, "database-unavailable", detail, {"Retry-After": "1"}))
        except Exception:
            logging.exception("answering failed, trace %s", self.trace_id)
            detail = "Something went wrong on our side. Give the traceId when you report it."
            self.refuse(Problem(500, "internal-error", detail))

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_GET

    def answer_of(self):
        reads = self.command in ("GET", "HEAD")
        if reads and self.path_only in ("/health/live", "/health/ready"):
            return self.health()
        user = self.user() if self.path_only.startswith("/api/") else None
        shipment = SHIPMENT.fullmatch(self.path_only) if reads else None
        if shipment:
            return self.shipment(unquote(shipment[1]), user)
        raise Problem(404, "not-found", f"There is no {self.command} {self.path_only} here.")

    def health(self):
        live = self.path_only.endswith("live")
        status = "live" if live else "ready" if self.server.ready else "not-ready"
        self.send(200 if live or self.server.ready else 503, {"status": status, "build": self.server.build})

    def shipment(self, asked, user):
        kept = {"Cache-Control": "private, no-cache"}
        if user is None:
            detail = 'Send an access token: "Authorization: Bearer …".'
            raise Problem(401, "authentication-required", detail, {"WWW-Authenticate": "Bearer", **kept})
        faults = faults_of_id(asked)
        if faults:
            fields = [{"path": "id", "message": message, "code": code} for code, message in faults]
            named = ", ".join("id" for _ in fields)
            raise Problem(422, "invalid-request", f'Not as required: {named}. See "fields".', kept, fields=fields)
        order = int(float(asked)) if not asked.isdecimal() else int(asked)
        with self.server.database.transaction() as cursor:
            found = get_shipment(cursor, order, user)
        if found is None:
            raise Problem(404, "shipment-not-found", f"there is no shipment of order {order} yet", kept)
        self.send(200, found, kept)

    def user(self):
        try:
            return self.server.tokens.user_of(self.headers.get("authorization"))
        except InvalidToken as error:
            challenge = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
            raise Problem(401, "invalid-token", str(error), challenge) from None

    def refuse(self, problem):
        body = {
            **problem.members,
            "type": f"urn:banyan:problem:{problem.code}",
            "title": RENAMED.get(problem.status) or HTTPStatus(problem.status).phrase,
            "status": problem.status,
            "code": problem.code,
            "detail": problem.detail,
            "instance": self.path_only,
            "traceId": self.trace_id,
        }
        self.send(problem.status, body, problem.headers, "application/problem+json")

    def send(self, status, body, headers=None, content_type="application/json"):
        content = json.dumps(body, ensure_ascii=False).encode()
        self.send_response_only(status)
        own = {
            "Content-Type": f"{content_type}; charset=utf-8",
            "Content-Length": str(len(content)),
            "X-Request-Id": self.request_id,
            "ETag": f'W/"{len(content):x}-{base64.b64encode(hashlib.sha1(content).digest()).decode()[:27]}"',
        }
        for name, value in {**GUARDS, **own, **(headers or {})}.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def faults_of_id(asked):
    """What keeps a text of a path from being an id, as pairs of code and message; empty where nothing does."""
    if not NUMBER.fullmatch(asked):
        return [("invalid_type", "Invalid input: expected number, received NaN")]
    value = float(asked)
    if value > LARGEST_ID:
        return [("too_big", f"Too big: expected {kind} to be <={LARGEST_ID}") for kind in ("int", "number")]
    if value != int(value):
        return [("invalid_type", "Invalid input: expected int, received number")]
    return [] if value > 0 else [("too_small", "Too small: expected number to be >0")]
