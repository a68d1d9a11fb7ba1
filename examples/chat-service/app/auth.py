"""Who may talk to the service: whoever sends its token."""

from __future__ import annotations

import logging

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from app.settings import token

log = logging.getLogger("uvicorn.error")
OPEN = frozenset({"/health", "/openapi.json"})


class AuthMiddleware:
    """Refuses what comes without the token: with 401 over HTTP, and a WebSocket before it is opened."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or refuse it."""
        if scope["type"] not in ("http", "websocket") or scope["path"] in OPEN:
            await self.app(scope, receive, send)
            return
        sent = Headers(scope=scope).get("authorization", "")
        if sent == f"Bearer {token()}":
            await self.app(scope, receive, send)
            return
        log.warning("%s refused: %s Authorization header came", scope["path"], "another" if sent else "no")
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 4401})
            return
        await JSONResponse({"detail": "not let in"}, status_code=401)(scope, receive, send)
