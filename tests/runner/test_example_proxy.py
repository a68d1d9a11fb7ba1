"""A real nginx in front of the example service that drops the Authorization header: who dropped it is told."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.runner.example_support import PHASES, commit, looped, only, primary, service, told

__all__ = ["service"]

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
CONFIGURATION = """
daemon off;
master_process off;
pid {folder}/pid;
error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {folder}/1; proxy_temp_path {folder}/2; fastcgi_temp_path {folder}/3;
  uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
  map $http_upgrade $connection_upgrade {{ default upgrade; '' close; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://127.0.0.1:{behind};
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      {header}
    }}
  }}
}}
"""


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[tuple[Path, int, int]]:
    """The folder of an nginx that can be configured, its port, and the port of what stands behind it."""
    if NGINX is None:
        pytest.skip("nginx is not installed; on Debian: apt-get install nginx-light")
    folder = tmp_path / "nginx"
    folder.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        ports = one.getsockname()[1], other.getsockname()[1]
    yield folder, *ports


def start(folder: Path, port: int, behind: int, header: str) -> subprocess.Popen[bytes]:
    assert NGINX is not None
    (folder / "nginx.conf").write_text(CONFIGURATION.format(folder=folder, port=port, behind=behind, header=header))
    process = subprocess.Popen([NGINX, "-c", folder / "nginx.conf", "-p", folder], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return process
        except OSError:
            time.sleep(0.02)
    process.kill()
    process.wait()
    raise AssertionError((folder / "error.log").read_text())


@pytest.mark.parametrize(
    ("header", "code"), [("proxy_set_header Authorization '';", 13), ("", 0)], ids=["drops", "passes on"]
)
def test_a_proxy_in_front(service: Path, proxy: tuple[Path, int, int], header: str, code: int) -> None:
    folder, port, behind = proxy
    only(service, "session")
    plan = service / "pyproject.toml"
    text = plan.read_text()
    text = text.replace('name = "chat-staging"', f'name = "chat-staging"\nbase_url = "http://127.0.0.1:{port}"')
    text = text.replace('kind = "local"', f'kind = "local"\nport = {behind}')
    # The service's own health is open to all, so it is well; a WebSocket would tell at once.
    head, _, rest = text.partition('[[tool.guard.loop.health]]\nkind = "websocket"')
    plan.write_text(head + "[[tool.guard.loop.phases]]" + rest.partition("[[tool.guard.loop.phases]]")[2])
    commit(service, "Behind a proxy")
    assert PHASES["session"] in plan.read_text()
    nginx = start(folder, port, behind, header)
    try:
        ended, session = looped(service)
    finally:
        nginx.terminate()
        nginx.wait()
    assert ended == code, session["causes"]
    if not code:
        return
    cause = primary(session)
    assert (cause["kind"], len(cause["tests"])) == ("http-status", 2), session["causes"]
    assert cause["summary"].startswith("answered with 401")
    for text in ("carried an Authorization header", "calls itself nginx/", "no Authorization header came"):
        assert text in told(cause), told(cause)
    assert "Which setting of nginx drops the Authorization header?" in [why["question"] for why in cause["whys"]]
