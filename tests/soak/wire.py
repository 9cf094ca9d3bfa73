"""A bad network: a proxy that loses requests and replies, and delivers requests twice."""

from __future__ import annotations

import random
import socket
import socketserver
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

_WAIT_S = 60


@dataclass(frozen=True)
class Weather:
    """Shares of requests with which each thing happens.

    Attributes
    ----------
    lost : the request never arrives
    cut : the reply is dropped after the server has committed
    torn : half of the reply arrives
    twice : the request arrives over two connections at once
    """

    lost: float = 0.0
    cut: float = 0.0
    torn: float = 0.0
    twice: float = 0.0


FAIR = Weather()
ROUGH = Weather(lost=0.05, cut=0.2, torn=0.1, twice=0.15)


class Wire(socketserver.ThreadingTCPServer):
    """One request a connection, forwarded to `target` as the weather allows."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, target: int, seed: int) -> None:
        super().__init__(("127.0.0.1", 0), _Passage)
        self.target, self.weather = target, FAIR
        self.happened: Counter[str] = Counter()
        self._draws, self._lock = random.Random(seed), threading.Lock()
        self.pool = ThreadPoolExecutor(32)
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def port(self) -> int:
        """Where clients connect."""
        return int(self.server_address[1])

    def fate(self) -> str:
        """What happens to the next request."""
        weather = self.weather
        with self._lock:
            draw = self._draws.random()
            for name in ("lost", "cut", "torn", "twice"):
                draw -= getattr(weather, name)
                if draw < 0:
                    self.happened[name] += 1
                    return name
        return "fair"

    def close(self) -> None:
        """End it."""
        self.shutdown()
        self.server_close()
        self.pool.shutdown()

    def handle_error(self, request: object, client_address: object) -> None:
        """A client or server that went away is what this is for."""


class _Passage(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        request = _read_request(self.request)
        server: Wire = self.server
        fate = server.fate()
        if fate == "lost":
            return
        if fate == "twice":
            both = [server.pool.submit(_ask, server.target, request) for _ in range(2)]
            reply = next(one.result() for one in both)
        else:
            reply = _ask(server.target, request)
        if fate == "torn":
            reply = reply[: len(reply) // 2]
        if fate != "cut":
            self.request.sendall(reply)


def _read_request(line: socket.socket) -> bytes:
    line.settimeout(_WAIT_S)
    data = b""
    while b"\r\n\r\n" not in data:
        piece = line.recv(65_536)
        if not piece:
            raise ConnectionError("the client went away")
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(
        int(one.partition(b":")[2])
        for one in head.lower().split(b"\r\n")
        if one.startswith(b"content-length:")
    )
    while len(body) < length:
        body += line.recv(65_536)
    return head + b"\r\n\r\n" + body


def _ask(port: int, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=_WAIT_S) as line:
        line.sendall(request)
        reply = b""
        while piece := line.recv(65_536):
            reply += piece
    return reply
