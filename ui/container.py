"""A WSGI application behind Tornado, one trip to a thread for a request."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tornado.httputil import HTTPHeaders, HTTPServerRequest, ResponseStartLine
from tornado.ioloop import IOLoop
from tornado.wsgi import WSGIContainer

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_WITHOUT_BODY = frozenset({204, 304})


class OneTrip(WSGIContainer):
    """Makes the whole answer in one call of the executor.

    Tornado's own container goes to a thread for the application and again for each piece of
    its answer: at a few hundred requests a second these hand-overs cost as much as the work.
    Answers are held whole either way.
    """

    async def handle_request(self, request: HTTPServerRequest) -> None:
        """Answer one request."""
        status, headers, body = await IOLoop.current().run_in_executor(
            self.executor, self._answer, self.environ(request)
        )
        code, _, reason = status.partition(" ")
        told = HTTPHeaders()
        for name, value in headers:
            told.add(name, value)
        if int(code) not in _WITHOUT_BODY and "Content-Length" not in told:
            told["Content-Length"] = str(len(body))
        assert request.connection is not None, "a request of a server has a connection"
        request.connection.write_headers(
            ResponseStartLine("HTTP/1.1", int(code), reason), told, chunk=body
        )
        request.connection.finish()
        self._log(int(code), request)

    def _answer(self, environ: WSGIEnvironment) -> tuple[str, list[tuple[str, str]], bytes]:
        started: list[tuple[str, list[tuple[str, str]]]] = []
        written: list[bytes] = []

        def start_response(
            status: str, headers: list[tuple[str, str]], _error: Any = None
        ) -> Callable[[bytes], Any]:
            started.append((status, headers))
            return written.append

        answer = self.wsgi_application(environ, start_response)
        try:
            written.extend(answer)
        finally:
            if hasattr(answer, "close"):
                answer.close()
        if not started:
            raise AssertionError("the application did not start its answer")
        return (*started[-1], b"".join(written))
