"""Run as a program by the deployer `local`: says which process it is, then serves the app with uvicorn.

It says so itself, and before anything else, so that there is no moment at which the service runs and nobody can find
it. The port is bound here and listened on only by uvicorn once the app has started: to connect is to know it ready.
Nothing of guard is imported, since the Python that runs it may be another than guard's.
"""

from __future__ import annotations

import faulthandler
import json
import os
import signal
import socket
import sys
from pathlib import Path


def main() -> None:
    """Arguments: the file to write, what to write into it (a JSON object), host, port (0 for any), and the app."""
    note, known, host, port, app = sys.argv[1:]
    sys.path[0] = str(Path.cwd())
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, int(port)))
    except OSError as error:
        sys.exit(f"cannot listen on {host} port {port}: {error.strerror}")
    faulthandler.register(signal.SIGUSR1)  # asked where it is, it says so in its log
    found = {**json.loads(known), "pid": os.getpid(), "port": listening.getsockname()[1]}
    temporary = Path(f"{note}.{os.getpid()}")
    temporary.write_text(json.dumps(found), encoding="utf-8")
    temporary.replace(note)
    import uvicorn

    server = uvicorn.Server(uvicorn.Config(app, log_level="info", timeout_graceful_shutdown=3))
    server.run(sockets=[listening])
    if not server.started:
        sys.exit(3)


if __name__ == "__main__":
    main()
