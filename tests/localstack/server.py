"""LocalStack without a container, on loopback only: run by the Python that it is installed in.

It listens on every address, whatever it is told; Twisted, which it listens with, can be told otherwise.
"""

import runpy

from twisted.internet import endpoints

_original = endpoints.TCP4ServerEndpoint.__init__


def _on_loopback(self, reactor, port, backlog=50, interface=""):
    _original(self, reactor, port, backlog, "127.0.0.1")


endpoints.TCP4ServerEndpoint.__init__ = _on_loopback
runpy.run_module("localstack.runtime.main", run_name="__main__")
