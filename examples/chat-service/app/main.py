"""The service: health, a session over HTTP, and the chat over a WebSocket."""

from __future__ import annotations

import asyncio
import logging
import secrets

from fastapi import FastAPI, Request, WebSocket, WebSocketDisconnect
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.responses import JSONResponse

from app.agents import answer, ready
from app.auth import AuthMiddleware
from app.settings import misbehaves, revision

app = FastAPI(title="chat-service")
app.add_middleware(SessionMiddleware, secret_key=secrets.token_hex(32))
app.add_middleware(AuthMiddleware)
app.add_middleware(CORSMiddleware, allow_origins=["https://chat.example"], allow_methods=["*"], allow_headers=["*"])
asked: list[str] = []
log = logging.getLogger("uvicorn.error")


@app.get("/health")
async def health() -> JSONResponse:
    """Whether the service is well, and which revision it is."""
    if misbehaves("unready") or not ready():
        return JSONResponse({"status": "starting", "revision": revision()}, status_code=503)
    answers = "an-older-one" if misbehaves("old-revision") else revision()
    return JSONResponse({"status": "healthy", "revision": answers})


@app.get("/me")
async def me(request: Request) -> dict[str, object]:
    """How often this session has asked."""
    request.session["asked"] = request.session.get("asked", 0) + 1
    return {"asked": request.session["asked"]}


@app.get("/history")
async def history(request: Request) -> JSONResponse:
    """The messages of this service, the last ones first."""
    if misbehaves("hang"):
        await asyncio.Event().wait()
    if misbehaves("first-fails") and "history" not in asked:
        asked.append("history")
        return JSONResponse({"detail": "not yet"}, status_code=500)
    return JSONResponse({"messages": asked[-10:][::-1]}, headers={"x-revision": revision()})


@app.websocket("/ws")
async def chat(websocket: WebSocket) -> None:
    """Answer each message with the events of the agents."""
    if misbehaves("ws-403"):
        await websocket.close()
        return
    offered = websocket.scope.get("subprotocols", [])
    await websocket.accept(subprotocol="chat.v1" if "chat.v1" in offered else None)
    try:
        while True:
            message = await websocket.receive_text()
            async for event in answer(message):
                await websocket.send_json(event.as_json())
                if misbehaves("ws-early-close") and event.type == "tool_executing":
                    await websocket.close(1000, "done")
                    return
    except WebSocketDisconnect:
        return
    except Exception:
        log.exception("the chat on %s ends", revision())
        await websocket.close(1011, "agents failed")
