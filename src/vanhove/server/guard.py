"""What stands before every request: hosts, origins, the size of bodies, and headers of answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

NO_STYLE = "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"
"""Of an empty text: plotly adds an empty style sheet and fills it by script."""
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        f"style-src 'self' {NO_STYLE}",
        "style-src-attr 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "connect-src 'self'",
        "form-action 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
MULTIPART_ROOM = 100_000
"""Bytes of a body besides the file in it."""


class Guard:
    """Refuses foreign hosts and origins and large, slow or compressed bodies; adds headers.

    Args:
        app: what comes after.
        hosts: that a request may name, so that no foreign name can be pointed here; empty: any.
        body_limit: bytes that the body of a request to this path may have.
        seconds: in which it must arrive.
    """

    def __init__(
        self,
        app: Application,
        *,
        hosts: tuple[str, ...],
        body_limit: Callable[[str], int],
        seconds: float,
    ):
        self.app = app
        self.hosts = hosts
        self.body_limit = body_limit
        self.seconds = seconds

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = list(message.get("headers", ()))
                extra = [(key.encode(), value.encode()) for key, value in HEADERS.items()]
                if not any(key.lower() == b"cache-control" for key, _ in given):
                    extra.append((b"cache-control", b"no-store"))
                message = {**message, "headers": given + extra}
            await send(message)

        headers = {key.lower(): value for key, value in scope["headers"]}
        problem = self._problem(headers)
        if problem is None:
            limit = self.body_limit(scope["path"])
            try:
                async with asyncio.timeout(self.seconds):
                    body = await _body(headers, receive, limit)
            except TimeoutError:
                problem = 408, f"the body did not arrive within {self.seconds:g} s"
            else:
                if body is None:
                    problem = 413, f"the body is larger than {limit:,} bytes, which are allowed"
        if problem is not None:
            await _refuse(*problem, send_with_headers)
            return
        assert body is not None
        await self.app(scope, _replay(body, receive), send_with_headers)

    def _problem(self, headers: dict[bytes, bytes]) -> tuple[int, str] | None:
        host = headers.get(b"host", b"").decode("latin-1")
        if self.hosts and _without_port(host) not in self.hosts:
            return 421, f"this server is not {host[:100]!r}; allowed: {', '.join(self.hosts)}"
        origin = headers.get(b"origin")
        if origin is not None and origin.decode("latin-1").partition("://")[2] != host:
            return 403, "pages of other origins may not ask"
        if headers.get(b"content-encoding", b"identity") != b"identity":
            return 415, "compressed bodies are not read; send the text itself"
        return None


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() else host


async def _body(headers: dict[bytes, bytes], receive: Receive, limit: int) -> bytes | None:
    """The whole body; None: larger than allowed."""
    stated = headers.get(b"content-length", b"0")
    if stated.isdigit() and int(stated[:20]) > limit:
        return None
    parts, size = [], 0
    while True:
        message = await receive()
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            return None
        parts.append(part)
        if not message.get("more_body"):
            return b"".join(parts)


def _replay(body: bytes, receive: Receive) -> Receive:
    sent = False

    async def replay() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


async def _refuse(status: int, detail: str, send: Send) -> None:
    headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps({"detail": detail}).encode()})
