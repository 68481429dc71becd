"""A proxy before S3 that fails the requests it is told to: fault injection as data.

It passes everything on as it comes, `Host` and so the signature, too. It counts, so that a test can fail the first
request, then the second, and so on until a run needs fewer.
"""

import http.client
import os
import select
import socket
import struct
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest

ANSWERS = {"500": "InternalError", "503": "SlowDown", "409": "ConditionalRequestConflict", "403": "AccessDenied"}
FAULTS = (
    "500",
    "503",
    # What S3 answers to one of two that write the same object on condition at the same time.
    "409",
    # No answer, until the client gives up or the proxy heals.
    "time-out",
    # The connection is reset, nothing was done.
    "reset",
    # The connection is reset after S3 did what was asked: the client can't know.
    "reset-after",
    # S3 did what was asked, and says that it did not: a client that tries again meets its own work.
    "500-after",
    # The connection is reset in the middle of the object, on its way up or down.
    "torn",
)
"""What may happen to a request, and pass; `403` may, too, and does not."""

WITHOUT_ANSWER = ("time-out", "reset", "reset-after", "torn")

_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "expect"}
_LOOK_SECONDS = 0.02


class S3Proxy(ThreadingHTTPServer):
    """Listens on a free port of 127.0.0.1 and passes requests on.

    Args:
        upstream: Address of S3.

    Attributes:
        url: Address of the proxy.
        requests: Method and path of each request counted since the last `fail` or `heal`.
        failed: Those of them that were made to fail.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, upstream):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = urlsplit(upstream).netloc
        self.url = f"http://127.0.0.1:{self.server_port}"
        self._lock = threading.Lock()
        self._healed = threading.Event()
        self.heal()

    def fail(self, fault, *, nth=1, for_good=False, only=lambda method, path: True):
        """Fails the nth request from now, or all from the nth on, of those that `only` chooses; no others count."""
        assert fault in FAULTS or fault in ANSWERS
        self._begin(fault, nth, for_good, only)

    def heal(self):
        """Fails nothing more, lets go of what hangs, and counts from one."""
        self._begin(None, 1, for_good=True, only=lambda method, path: True)

    def lot_of(self, method, path):
        """Counts a request; returns its fault, if any, and the event that ends it."""
        with self._lock:
            if not self._only(method, path):
                return None, self._healed
            self.requests.append((method, path))
            number = len(self.requests)
            if self._fault is None or not (number == self._nth or (self._for_good and number > self._nth)):
                return None, self._healed
            self.failed.append((method, path))
            return self._fault, self._healed

    def handle_error(self, request, client_address):
        """Says nothing: clients go away in the middle, on purpose."""

    def _begin(self, fault, nth, for_good, only):
        with self._lock:
            self._healed.set()
            self._healed = threading.Event()
            self._fault, self._nth, self._for_good, self._only = fault, nth, for_good, only
            self.requests, self.failed = [], []


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60
    disable_nagle_algorithm = True

    def log_message(self, *args):
        pass

    def _serve(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        fault, healed = self.server.lot_of(self.command, self.path)
        half = len(body) // 2
        if fault is None:
            self._answer(*self._pass_on(body))
        elif (status := fault.removesuffix("-after")) in ANSWERS:
            if status != fault:
                self._pass_on(body)
            xml = f"<Error><Code>{ANSWERS[status]}</Code><Message>as told</Message></Error>"
            self._answer(int(status), [], xml.encode())
        elif fault == "time-out":
            while not healed.wait(_LOOK_SECONDS) and not self._client_is_gone():
                pass
        elif fault == "reset-after":
            self._pass_on(body)
        elif fault == "torn" and body:
            self._pass_on(body, end=half)
        elif fault == "torn":
            self._answer(*self._pass_on(body), torn=True)
        if fault in WITHOUT_ANSWER:
            self.close_connection = True
            _reset(self.connection)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _serve  # noqa: N815 - the names http.server looks for

    def _pass_on(self, body, *, end=None):
        """Returns S3's status, headers and body; nothing if it gets only a part of the request."""
        upstream = http.client.HTTPConnection(self.server.upstream, timeout=60)
        upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in _HOP_BY_HOP:
                upstream.putheader(name, value)
        upstream.endheaders()
        upstream.send(body[:end])
        if end is not None:
            _reset(upstream.sock)
            return None
        response = upstream.getresponse()
        answer = response.status, response.getheaders(), response.read()
        upstream.close()
        return answer

    def _answer(self, status, headers, body, *, torn=False):
        self.send_response_only(status)
        lengths = [value for name, value in headers if name.lower() == "content-length"]
        for name, value in headers:
            if name.lower() not in _HOP_BY_HOP | {"content-length"}:
                self.send_header(name, value)
        # The answer to a HEAD has the length of what is not sent.
        self.send_header("Content-Length", lengths[0] if lengths else len(body))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[: len(body) // 2] if torn else body)

    def _client_is_gone(self):
        readable, _, _ = select.select([self.connection], [], [], 0)
        try:
            return bool(readable) and self.connection.recv(1, socket.MSG_PEEK) == b""
        except ConnectionError:
            return True


def _reset(connection):
    """Closes a connection with RST instead of the FIN of an orderly end."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@contextmanager
def s3_proxy():
    """A proxy before the S3 that the environment names; the environment leads every client to it."""
    with pytest.MonkeyPatch.context() as environment, S3Proxy(os.environ["AWS_ENDPOINT_URL"]) as proxy:
        environment.setenv("AWS_ENDPOINT_URL", proxy.url)
        thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield proxy
        finally:
            proxy.heal()
            proxy.shutdown()
            thread.join()
