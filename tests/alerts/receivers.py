"""Where messages arrive: a real HTTP server and a real SMTP server, in threads of the test."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session


class Webhook:
    """Takes what is posted to it. ``answers``: the statuses of the next posts, then always 200."""

    def __init__(self) -> None:
        self.accepted: list[dict[str, Any]] = []
        self.asked = 0
        self.answers: list[int] = []
        self.during: Callable[[], object] = lambda: None
        """Called while the sender waits for its answer."""
        self.asked_event = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.asked += 1
                receiver.asked_event.set()
                status = receiver.answers.pop(0) if receiver.answers else 200
                receiver.during()
                if status == 200:
                    receiver.accepted.append({"path": self.path, **json.loads(body)})
                try:
                    self.send_response(status)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                except OSError:
                    pass  # the sender has given up

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    @property
    def port(self) -> int:
        return self._server.server_address[1]

    @property
    def url(self) -> str:
        return f"json://127.0.0.1:{self.port}/alerts"

    @property
    def titles(self) -> list[str]:
        return [post["title"] for post in self.accepted]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Mailbox:
    """Takes what is mailed to it."""

    def __init__(self) -> None:
        self.messages: list[EmailMessage] = []
        mailbox = self

        class Handler:
            async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
                assert isinstance(envelope.content, bytes)
                found = message_from_bytes(envelope.content, policy=policy.default)
                assert isinstance(found, EmailMessage)
                mailbox.messages.append(found)
                return "250 OK"

        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self._controller = Controller(Handler(), hostname="127.0.0.1", port=self._port)
        self._controller.start()

    @property
    def url(self) -> str:
        return f"mailto://127.0.0.1:{self._port}?from=ledger@example.com&to=oncall@example.com"

    def close(self) -> None:
        self._controller.stop()
