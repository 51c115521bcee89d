"""`top`: a deployment as its admin port tells it, found by its name; a gateway stands in by plain HTTP."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from daskml_dist.cli import main
from tests.dashboard.deployments import state


class Gateway(BaseHTTPRequestHandler):
    """Tells the state to who has the token."""

    def do_GET(self) -> None:  # noqa: N802
        good = (self.path, self.headers["Authorization"]) == ("/status", "Bearer secret")
        self.send_response(200 if good else 401)
        self.end_headers()
        self.wfile.write(json.dumps(state() if good else {"error": "no"}).encode())

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Of a deployment whose gateway answers."""
    server = HTTPServer(("127.0.0.1", 0), Gateway)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    told = {"url": f"http://127.0.0.1:{server.server_port}", "token": "secret"}
    (tmp_path / "admin.json").write_text(json.dumps(told))
    yield tmp_path
    server.shutdown()
    server.server_close()
    thread.join(10)


def test_one_look(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["top", "claims", "--folder", str(folder), "--once"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("claims: ready, version 3 at http://127.0.0.1:8080")
    assert "DRIFT" in out


def test_a_gateway_that_is_gone_is_looked_for(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "admin.json").write_text(json.dumps({"url": "http://127.0.0.1:9", "token": "secret"}))
    assert main(["top", "claims", "--folder", str(folder), "--once"]) == 0
    assert capsys.readouterr().out.startswith("NOT REACHABLE since ")


def test_what_is_not_served_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["top", "claims", "--folder", str(tmp_path), "--once"]) == 2
    assert "claims is not served on this machine" in capsys.readouterr().err


@pytest.mark.parametrize("every", ["0", "-1", "soon", "nan", "1e9"])
def test_bad_intervals(every: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["top", "claims", "--every", every]) == 2
    assert "--every" in capsys.readouterr().err
