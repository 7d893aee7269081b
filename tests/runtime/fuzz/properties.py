"""What holds of a server whatever its clients send: said once, for the short runs and the long ones."""

import http.client
import json
import re
import sys
from dataclasses import replace

import h11
import pytest
from tests.runtime.fuzz.messages import Sent
from tests.runtime.fuzz.oddities import NESTED
from tests.runtime.fuzz.targets import CANARY, KEY, SECOND_KEY, Kind
from tests.runtime.fuzz.wire import WireAnswer, answers, exchange
from tests.runtime.server_process import PATIENCE_SECONDS, Server

_SECRETS = (CANARY, KEY, SECOND_KEY)
# The one answer that may quote the client's own value back to it: why that does not match the schema.
_MISMATCH = re.compile(r"(The value of the '\w+' parameter does not match the schema: ).*", re.DOTALL)
# Of a server's own failure; a script's failure is logged in other words.
_OWN_FAILURES = ("The server itself failed", "Error handling request", "Socket error processing request")
_TRACEBACK = ("Traceback", 'File "', "site-packages", sys.prefix)
_LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} [A-Z] \[\d+\] [^\x00-\x08\x0a-\x1f\x7f]*")
_SLOTS_FREE = re.compile(r"^gpu_inference_busy_slots(\{[^}]*\})? 0\.0$", re.MULTILINE)
_NONE_QUEUED = re.compile(r"^gpu_inference_queued_requests(\{[^}]*\})? 0\.0$", re.MULTILINE)


class Fuzzed:
    """A server that is fuzzed, with what has to hold of it.

    Args:
        kind: which.
        server: that runs already.
    """

    def __init__(self, kind: Kind, server: Server) -> None:
        self.kind = kind
        self.server = server
        self._log = (server.folder / "log").open("rb")
        self._log.seek(0, 2)
        self._usual = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE_SECONDS)

    def send(self, sent: Sent) -> list[WireAnswer]:
        """Send it and return the answers, which are well-formed and tell nothing that they must not tell."""
        unread = not self.kind.asks_key and NESTED in sent.data
        received = exchange(self.server.port, sent.pieces)
        try:
            methods, found = _read(received, sent.methods)
        except h11.RemoteProtocolError as error:
            pytest.fail(f"Not HTTP: {error}\nsent {sent.data!r}\nreceived {received!r}")
        for number, answer in enumerate(found):
            # The bare server answers this one as v1's did.
            if not (unread and answer.status == 500):
                assert answer.status < 500, answer
            self.check_answer(answer, has_body=methods[number : number + 1] != ("HEAD",))
        self.check_log()
        return found

    def check_answer(self, answer: WireAnswer, has_body: bool = True) -> None:
        """An error is a JSON message that gives nothing away."""
        if answer.status < 400:
            return
        if has_body:
            assert answer.header("content-type") == "application/json", answer
            message = json.loads(answer.body)["message"]
            assert isinstance(message, str), answer
            assert message, answer
            answer = replace(answer, body=_MISMATCH.sub(r"\1", message).encode())
        text = repr(answer)
        for secret in (*_SECRETS, *_TRACEBACK, str(self.server.folder)):
            assert secret not in text, answer

    def check_log(self) -> None:
        """What was logged since the last look has no secret in it, and no failure of the server's own."""
        new = self._log.read().decode("utf-8", "replace")
        for text in (*_SECRETS, *_OWN_FAILURES):
            assert text not in new, new
        # No script here fails: there is no traceback, and nothing that a client sends begins a line.
        for line in new.split("\n")[:-1]:
            assert _LINE.fullmatch(line), line

    def check_usual_request(self) -> None:
        """Somebody else's request is answered as ever, on a connection that stays open all the time."""
        headers = {"Content-Type": "application/json"}
        if self.kind.asks_key:
            headers["Authorization"] = f"Bearer {KEY}"
        self._usual.request("POST", "/score", self.kind.usual, headers)
        answer = self._usual.getresponse()
        body = answer.read()
        assert answer.status == 200, body
        self.kind.check(self.kind.usual, WireAnswer(answer.status, (), body, closes=False))

    def check_rest(self) -> None:
        """Nothing is left behind: live, ready, slots free, nobody queued, the first worker still there."""
        assert self.server.management("/live").status_code == 200
        assert self.server.management("/ready").status_code == 200

        def free() -> bool:
            metrics = self.server.management("/metrics").text
            return bool(_SLOTS_FREE.search(metrics) and _NONE_QUEUED.search(metrics))

        self.server.wait_until(free, "all slots free and nobody queued")
        assert self.server.log.count("Booting worker") == 1
        self._usual.close()
        self._log.close()


def _read(received: bytes, methods: tuple[str, ...]) -> tuple[tuple[str, ...], list[WireAnswer]]:
    """Return the answers and the methods that they were read for.

    Raises:
        h11.RemoteProtocolError: they are no sound HTTP.
    """
    try:
        return methods, answers(received, methods)
    except h11.RemoteProtocolError:
        found = answers(received, ())
        # Who cannot read a request's head does not know that it is HEAD, and says why.
        if "HEAD" in methods and all(400 <= answer.status < 500 and answer.closes for answer in found):
            return (), found
        raise
