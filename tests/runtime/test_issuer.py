"""Where an issuer's keys come from: a file or a URL, asked again; what cannot be read changes nothing."""

import http.server
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.certificates import server_context, write_certificate
from tests.runtime.server_process import StartServer
from tests.serving import serving
from tests.token_issuer import AUDIENCE, ISSUER, SUBJECT, SigningKey, key_set

from gpu_inference_runtime.access.authorization import IssuerUnknownError
from gpu_inference_runtime.access.issuer import Issuer, IssuerError, IssuerFile, read_keys
from gpu_inference_runtime.access.issuer_url import IssuerEndpoint, IssuerUrl

PATIENCE = 60
OLD, NEW = SigningKey("old"), SigningKey("new", "RS256")


# What is read of a key set


UNUSABLE: dict[str, Any] = {
    "empty": {},
    "no mapping": "text",
    "a secret": {"kty": "oct", "kid": "a", "k": "c2VjcmV0"},
    "no id": {**OLD.jwk, "kid": ""},
    "for encryption": {**OLD.jwk, "use": "enc"},
    "another kind's algorithm": {**OLD.jwk, "alg": "RS256"},
    "another curve": {**OLD.jwk, "crv": "secp256k1"},
    "a point that is not on its curve": {**OLD.jwk, "x": "AAAA"},
    "no point": {**OLD.jwk, "x": 7},
    "a curve of another kind": {**OLD.jwk, "kty": "RSA"},
    "no kind": {**OLD.jwk, "kty": ["EC"]},
    "private": {**OLD.jwk, "d": "AAAA"},
}


@pytest.mark.parametrize("entry", UNUSABLE.values(), ids=UNUSABLE)
def test_keys_that_cannot_check_a_signature_are_left_out(entry: Any) -> None:
    assert list(read_keys(json.dumps({"keys": [entry, NEW.jwk]}))) == ["new"]
    with pytest.raises(IssuerError, match="no public key with an id"):
        read_keys(json.dumps({"keys": [entry]}))


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "null", '{"keys": {}}', b"\xff", "[" * 100_000])
def test_what_is_no_key_set_is_said_to_be_none(text: str | bytes) -> None:
    with pytest.raises(IssuerError, match="it is not a JSON Web Key Set"):
        read_keys(text)


# A file


def test_keys_changed_in_the_file_hold_from_the_next_token(tmp_path: Path) -> None:
    path = tmp_path / "jwks"
    path.write_text(key_set(OLD))
    source = IssuerFile(ISSUER, path)
    assert source.current("old").name == ISSUER
    path.write_text(key_set(NEW))
    assert list(source.current("old").keys) == ["new"]


def test_the_swap_of_a_configmap_volume_is_noticed(tmp_path: Path) -> None:
    for name, key in (("..1", OLD), ("..2", NEW)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "jwks").write_text(key_set(key))
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "jwks").symlink_to("..data/jwks")
    source = IssuerFile(ISSUER, tmp_path / "jwks")
    assert list(source.current("old").keys) == ["old"]
    (tmp_path / "..new").symlink_to("..2")
    (tmp_path / "..new").rename(tmp_path / "..data")
    assert list(source.current("old").keys) == ["new"]


@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: path.write_text("{")], ids=["gone", "damaged"])
def test_an_unreadable_file_leaves_the_keys_and_is_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, spoil: Callable[[Path], None]
) -> None:
    path = tmp_path / "jwks"
    path.write_text(key_set(OLD))
    source = IssuerFile(ISSUER, path)
    source.current("old")
    spoil(path)
    for _ in range(3):
        assert list(source.current("old").keys) == ["old"]
    (record,) = (record for record in caplog.records if record.levelname == "ERROR")
    assert "the keys read before stay valid" in record.getMessage()


# A URL
# How the threads that ask an issuer of a test end: quietly, but for pytest.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")


class WebSite:
    """A real HTTPS server of an issuer, with an authority of its own."""

    def __init__(self, folder: Path) -> None:
        self.pages: dict[str, tuple[int, bytes]] = {}
        self.asked: list[tuple[str, str | None]] = []
        # Cleared: answers wait until it is set.
        self.closed = False
        self.answers = threading.Event()
        self.answers.set()
        self.ca_file = folder / "ca.crt"
        write_certificate(folder)
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append((self.path, self.headers["Authorization"]))
                site.answers.wait(PATIENCE)
                status, content = site.pages.get(self.path, (404, b""))
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", content.decode())
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (its own name for it)
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.socket = server_context(folder).wrap_socket(self.server.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self.server.server_address[1]}"

    def publish(self, *keys: SigningKey) -> None:
        self.pages["/keys"] = (200, key_set(*keys).encode())

    def address(self, **changes: Any) -> IssuerEndpoint:
        return IssuerEndpoint(
            **{"keys_url": f"{self.url}/keys", "name": ISSUER, "ca_file": self.ca_file, **changes}
        )

    def ask(self) -> Issuer:
        """Ask for the keys, for as long as the test lasts: then end the thread that asks."""
        if self.closed:
            raise SystemExit
        return self.address().fetch()

    def let_go(self) -> None:
        """End whoever asks, or waits for an answer."""
        self.closed = True
        self.answers.set()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[WebSite]:
    site = WebSite(tmp_path)
    site.publish(OLD)
    with serving(site.server):
        yield site
        site.let_go()


def test_an_issuer_is_asked_with_the_files_present_token(site: WebSite, tmp_path: Path) -> None:
    token_file = tmp_path / "token"
    address = site.address(token_file=token_file)
    for token in ("first", "second"):
        token_file.write_text(f"{token}\n")
        assert list(address.fetch().keys) == ["old"]
    assert site.asked == [("/keys", "Bearer first"), ("/keys", "Bearer second")]


def test_the_name_of_an_issuer_can_be_had_from_its_own_configuration(site: WebSite) -> None:
    site.pages["/configuration"] = (200, b'{"issuer": "https://found.example", "jwks_uri": "https://x"}')
    address = site.address(name=None, discovery_url=f"{site.url}/configuration")
    assert address.fetch().name == "https://found.example"
    for content in (b"{}", b"[]", b"no json", b'{"issuer": ""}', b'{"issuer": 7}'):
        site.pages["/configuration"] = (200, content)
        with pytest.raises(IssuerError, match="/configuration names no issuer"):
            address.fetch()


@pytest.mark.parametrize(
    ("page", "complaint"),
    [
        ((500, b""), "/keys answered with status 500"),
        ((302, b"/other"), "/keys answered with status 302"),
        ((200, b"<html>"), "/keys: it is not a JSON Web Key Set"),
        ((200, b" " * 1_100_000), "/keys answered with more than 1048576 bytes"),
    ],
    ids=["error", "redirect", "no keys", "too much"],
)
def test_another_answer_than_keys_is_named(site: WebSite, page: tuple[int, bytes], complaint: str) -> None:
    site.pages |= {"/keys": page, "/other": (200, key_set(NEW).encode())}
    with pytest.raises(IssuerError, match=complaint):
        site.address().fetch()
    # Nothing went to where the redirect pointed: it would have got the token.
    assert [path for path, _ in site.asked] == ["/keys"]


def test_an_issuer_with_an_unknown_certificate_is_refused(site: WebSite, tmp_path: Path) -> None:
    with pytest.raises(IssuerError, match="certificate verify failed"):
        site.address(ca_file=None).fetch()
    with pytest.raises(IssuerError, match="no-such-file"):
        site.address(token_file=tmp_path / "no-such-file").fetch()
    assert site.asked == []


def test_a_certificate_without_newer_extensions_is_accepted(
    site: WebSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.publish(NEW)
    lenient = ssl.create_default_context

    def strict(*, cafile: Path | None) -> ssl.SSLContext:
        """What Python 3.13 does by itself."""
        context = lenient(cafile=cafile)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    monkeypatch.setattr(ssl, "create_default_context", strict)
    assert site.address().fetch().keys.keys() == {"new"}


def test_unknown_keys_ask_the_issuer_again_but_not_each_time(site: WebSite) -> None:
    source = IssuerUrl(site.ask, pause_seconds=0, wait_seconds=PATIENCE)
    assert list(source.current("old").keys) == ["old"]
    site.publish(OLD, NEW)
    assert "new" in source.current("new").keys
    asked = len(site.asked)
    for _ in range(100):
        source.current("old")
    assert len(site.asked) == asked


def test_within_the_pause_an_unknown_key_asks_nobody(site: WebSite) -> None:
    source = IssuerUrl(site.ask, pause_seconds=3600, wait_seconds=PATIENCE)
    source.current("old")
    for _ in range(100):
        assert "unknown" not in source.current("unknown").keys
    assert len(site.asked) == 1


def test_many_requests_at_once_ask_once(site: WebSite) -> None:
    site.answers.clear()
    source = IssuerUrl(site.ask, pause_seconds=3600, wait_seconds=PATIENCE)
    with ThreadPoolExecutor(20) as pool:
        waiting = [pool.submit(source.current, "old") for _ in range(20)]
        while not site.asked:
            threading.Event().wait(0.01)
        site.answers.set()
        assert all("old" in future.result(PATIENCE).keys for future in waiting)
    assert len(site.asked) == 1


def test_a_withdrawn_key_is_refused_after_a_refresh(site: WebSite) -> None:
    source = IssuerUrl(site.ask, refresh_seconds=0.01, wait_seconds=PATIENCE)
    source.current("old")
    site.publish(NEW)
    while "old" in source.current("old").keys:
        threading.Event().wait(0.01)


def test_the_keys_of_an_issuer_that_is_away_stay_good(
    site: WebSite, caplog: pytest.LogCaptureFixture
) -> None:
    source = IssuerUrl(site.ask, refresh_seconds=0.01, pause_seconds=0.01, wait_seconds=PATIENCE)
    source.current("old")
    site.pages["/keys"] = (503, b"")
    while "answered with status 503; its last keys stay valid" not in caplog.text:
        threading.Event().wait(0.01)
    assert "old" in source.current("old").keys
    site.publish(NEW)
    while "new" not in source.current("new").keys:
        threading.Event().wait(0.01)


def test_an_issuer_is_asked_until_it_answers_once(site: WebSite, caplog: pytest.LogCaptureFixture) -> None:
    site.pages["/keys"] = (503, b"")
    source = IssuerUrl(site.ask, pause_seconds=0.01, wait_seconds=PATIENCE)
    with pytest.raises(IssuerUnknownError):
        source.current("old")
    assert "until then no token can be checked" in caplog.text
    site.publish(OLD)
    while True:
        try:
            assert "old" in source.current("old").keys
        except IssuerUnknownError:
            continue
        break


def test_a_request_waits_for_a_silent_issuer_only_for_a_while(site: WebSite) -> None:
    site.answers.clear()
    source = IssuerUrl(site.ask, wait_seconds=0.01)
    with pytest.raises(IssuerUnknownError):
        source.current("old")


def test_a_server_checks_tokens_by_a_url(site: WebSite, tmp_path: Path, start_server: StartServer) -> None:
    (tmp_path / "token").write_text("for-the-issuer")
    site.pages["/configuration"] = (200, json.dumps({"issuer": ISSUER}).encode())
    server = start_server(
        GPU_INFERENCE_FRONT_END="azureml",
        GPU_INFERENCE_TOKEN_DISCOVERY_URL=f"{site.url}/configuration",
        GPU_INFERENCE_TOKEN_AUDIENCE=AUDIENCE,
        GPU_INFERENCE_TOKEN_ALLOWED_SUBJECTS=json.dumps([SUBJECT]),
        GPU_INFERENCE_TOKEN_JWKS_URL=f"{site.url}/keys",
        GPU_INFERENCE_TOKEN_JWKS_CA_FILE=str(site.ca_file),
        GPU_INFERENCE_TOKEN_JWKS_TOKEN_FILE=str(tmp_path / "token"),
    )
    server.wait_ready()
    assert server.score("1", Authorization=f"Bearer {OLD.token()}").status_code == 200
    assert server.score("1", Authorization=f"Bearer {NEW.token()}").status_code == 401
    assert {authorization for _, authorization in site.asked} == {"Bearer for-the-issuer"}
    assert "for-the-issuer" not in server.log
