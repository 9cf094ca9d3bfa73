"""The WSGI application behind Tornado: each answer whole, in one trip to a thread."""

from __future__ import annotations

import asyncio
import http.client
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop
from tornado.testing import bind_unused_port

from ui.container import OneTrip


class Pieces:
    """An answer of two pieces that notes its end."""

    def __init__(self) -> None:
        self.closed = 0

    def __iter__(self):
        yield b"one, "
        yield b"two"

    def close(self):
        self.closed += 1


@pytest.fixture
def said():
    return Pieces()


@pytest.fixture
def address(said):
    """A server of a small application; its port."""

    def application(environ, start_response):
        path = environ["PATH_INFO"]
        if path == "/empty":
            start_response("204 NO CONTENT", [])
            return []
        headers = [("Content-Type", "text/plain"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]
        write = start_response("201 CREATED", headers)
        write(b"zero, ")
        return said

    ready, box = threading.Event(), {}

    def serve():
        asyncio.set_event_loop(asyncio.new_event_loop())
        with ThreadPoolExecutor(2) as executor:
            server = HTTPServer(OneTrip(application, executor=executor))
            listening, box["port"] = bind_unused_port()
            server.add_socket(listening)
            box["loop"] = IOLoop.current()
            box["loop"].add_callback(ready.set)
            box["loop"].start()
            server.stop()
        box["loop"].close()

    thread = threading.Thread(target=serve)
    thread.start()
    assert ready.wait(20)
    yield box["port"]
    box["loop"].add_callback(box["loop"].stop)
    thread.join(20)


def get(port, path):
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        line.request("GET", path)
        reply = line.getresponse()
        return reply.status, reply.headers, reply.read()
    finally:
        line.close()


def test_an_answer_of_pieces_comes_whole_with_its_length_and_is_closed(address, said):
    """Also what was written by the old way of WSGI, and each of two cookies."""
    status, headers, body = get(address, "/x")
    assert (status, body) == (201, b"zero, one, two")
    assert headers["Content-Length"] == str(len(body))
    assert headers.get_all("Set-Cookie") == ["a=1", "b=2"]
    assert said.closed == 1


def test_an_answer_without_content_has_no_length(address):
    status, headers, body = get(address, "/empty")
    assert (status, body, headers["Content-Length"]) == (204, b"", None)
