"""Tokens: who may score, that nothing else may, and that neither answer nor log tells a token."""

import base64
import hashlib
import hmac
import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as some
from tests.runtime.fuzz.runs import for_all
from tests.runtime.server_process import Server, StartServer
from tests.token_issuer import AUDIENCE, ISSUER, SUBJECT, SigningKey, key_set, unsigned

from gpu_inference_runtime.access.authorization import IssuerUnknownError
from gpu_inference_runtime.access.issuer import Issuer, IssuerFile, read_keys
from gpu_inference_runtime.access.tokens import Tokens

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
KEY = SigningKey("current")
RSA_KEY = SigningKey("rsa", "RS256")
INVALID = "Unauthorized, the token is not valid for this service"


@pytest.fixture
def published(tmp_path: Path) -> Path:
    path = tmp_path / "jwks.json"
    path.write_text(key_set(KEY, RSA_KEY))
    return path


@pytest.fixture
def tokens(published: Path) -> Tokens:
    return Tokens(IssuerFile(ISSUER, published), AUDIENCE, [SUBJECT, "another"])


def refusal(tokens: Tokens, token: str) -> str | None:
    return tokens.refusal(f"Bearer {token}")


def segment(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def signed_with_public_key(algorithm: str, secret: bytes, claims: dict[str, Any]) -> str:
    """The classic forgery: an HMAC whose secret is the public key (PyJWT itself would refuse to make it)."""
    header = {"alg": algorithm, "kid": RSA_KEY.key_id, "typ": "JWT"}
    signed = f"{segment(json.dumps(header).encode())}.{segment(json.dumps(claims).encode())}"
    digest = getattr(hashlib, f"sha{algorithm[2:]}")
    return f"{signed}.{segment(hmac.new(secret, signed.encode(), digest).digest())}"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_good_token_of_every_asymmetric_algorithm_is_accepted(tmp_path: Path, algorithm: str) -> None:
    key = SigningKey("k", algorithm)
    (tmp_path / "jwks").write_text(key_set(key))
    tokens = Tokens(IssuerFile(ISSUER, tmp_path / "jwks"), AUDIENCE, [SUBJECT])
    assert refusal(tokens, key.token()) is None
    assert refusal(tokens, key.token(sub="other")) == INVALID


def test_one_of_several_audiences_and_subjects_is_enough(tokens: Tokens) -> None:
    assert refusal(tokens, KEY.token(aud=["other", AUDIENCE])) is None
    assert refusal(tokens, KEY.token(sub="another")) is None


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (None, "Unauthorized, no Auth Header"),
        ("", "Unauthorized, no Auth Header"),
        ("Bearer", "Unauthorized, the Authorization header must be 'Bearer TOKEN'"),
        ("Basic YTpi", "Unauthorized, the Authorization header must be 'Bearer TOKEN'"),
        ("Bearer nonsense", INVALID),
        ("Bearer a.b.c", INVALID),
        ("Bearer \u20ac.\xe4.c", INVALID),
    ],
)
def test_what_is_no_token_is_refused(tokens: Tokens, header: str | None, reason: str) -> None:
    assert tokens.refusal(header) == reason


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"aud": "other"}, "it is for another audience"),
        ({"aud": AUDIENCE + "2"}, "it is for another audience"),
        ({"iss": "https://elsewhere.example"}, "it is from another issuer"),
        ({"iss": ISSUER[:-1]}, "it is from another issuer"),
        ({"sub": SUBJECT + "2"}, "is not one of the allowed ones"),
        ({"sub": ""}, "is not one of the allowed ones"),
        ({"exp": -60}, "it has expired"),
        ({"exp": "tomorrow"}, "its content is malformed"),
        ({"nbf": 600}, "it is not valid yet"),
        ({"iat": 600}, "it is not valid yet"),
        ({"sub": 7}, "its content is malformed"),
        *(({name: None}, f"it lacks the claim {name}") for name in ("exp", "iss", "aud", "sub")),
    ],
)
def test_every_claim_is_checked_and_the_log_alone_says_which(
    tokens: Tokens, caplog: pytest.LogCaptureFixture, claims: dict[str, Any], why: str
) -> None:
    caplog.set_level("INFO")
    now = int(time.time())
    times = {name: now + value for name, value in claims.items() if type(value) is int and name != "sub"}
    token = KEY.token(**claims | times)
    assert refusal(tokens, token) == INVALID
    assert why in caplog.text
    for part in token.split("."):
        assert part not in caplog.text


def test_clocks_may_differ_by_some_seconds(tokens: Tokens) -> None:
    now = int(time.time())
    assert refusal(tokens, KEY.token(exp=now - 5, nbf=now + 5, iat=now + 5)) is None


def test_a_token_without_a_signature_is_refused(tokens: Tokens, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    assert refusal(tokens, unsigned(KEY.token())) == INVALID
    assert "its algorithm is not one of its key's" in caplog.text


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_an_hmac_with_the_public_key_as_its_secret_is_refused(tokens: Tokens, algorithm: str) -> None:
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": SUBJECT, "exp": int(time.time()) + 600}
    assert refusal(tokens, signed_with_public_key(algorithm, RSA_KEY.public_pem, claims)) == INVALID


def test_the_key_of_another_under_the_same_id_is_refused(
    tokens: Tokens, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    assert refusal(tokens, SigningKey(KEY.key_id).token()) == INVALID
    assert "its signature is wrong" in caplog.text


def test_a_key_signs_for_its_own_algorithm_alone(tmp_path: Path) -> None:
    (tmp_path / "jwks").write_text(json.dumps({"keys": [{**RSA_KEY.jwk, "alg": "RS256"}]}))
    tokens = Tokens(IssuerFile(ISSUER, tmp_path / "jwks"), AUDIENCE, [SUBJECT])
    assert refusal(tokens, RSA_KEY.token("RS256")) is None
    assert refusal(tokens, RSA_KEY.token("RS512")) == INVALID
    assert refusal(tokens, RSA_KEY.token("PS256")) == INVALID


def test_a_key_that_can_be_broken_is_not_believed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    weak = SigningKey("weak", "RS256", bits=1024)
    (tmp_path / "jwks").write_text(key_set(weak))
    tokens = Tokens(IssuerFile(ISSUER, tmp_path / "jwks"), AUDIENCE, [SUBJECT])
    with pytest.warns(Warning, match="1024 bits"):
        token = weak.token()
    assert refusal(tokens, token) == INVALID
    assert "its key is too short" in caplog.text


@pytest.mark.parametrize("headers", [{"kid": "unknown"}, {"kid": 7}, {"kid": ""}, {"crit": ["x"], "x": 1}])
def test_a_token_whose_header_cannot_be_followed_is_refused(tokens: Tokens, headers: dict[str, Any]) -> None:
    header, payload, signature = KEY.token().split(".")
    content = json.loads(base64.urlsafe_b64decode(header + "=="))
    changed = segment(json.dumps({**content, **headers}).encode())
    assert refusal(tokens, f"{changed}.{payload}.{signature}") == INVALID


class Known:
    """A source that knows the issuer."""

    def current(self, key_id: str) -> Issuer:  # noqa: ARG002  (as the protocol has it)
        return Issuer(ISSUER, KNOWN_KEYS)


KNOWN_KEYS = read_keys(key_set(KEY))
GOOD_TOKEN = KEY.token(exp=int(time.time()) + 7200)


def test_no_damaged_token_is_let_in_or_makes_the_check_fail() -> None:
    def check(case: tuple[str, int, bool]) -> None:
        text, place, replace = case
        rest = GOOD_TOKEN[place + len(text) :] if replace else GOOD_TOKEN[place:]
        damaged = GOOD_TOKEN[:place] + text + rest
        tokens = Tokens(Known(), AUDIENCE, [SUBJECT])
        assert (refusal(tokens, damaged) is None) == (damaged.strip() == GOOD_TOKEN)

    places = some.integers(0, len(GOOD_TOKEN))
    for_all(some.tuples(some.text(max_size=300), places, some.booleans()), check, examples=100)


# Over a socket


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("issuer") / "jwks.json"
    path.write_text(key_set(KEY))
    return path


def settings(published: Path) -> dict[str, str]:
    return {
        "GPU_INFERENCE_FRONT_END": "azureml",
        "GPU_INFERENCE_TOKEN_ISSUER": ISSUER,
        "GPU_INFERENCE_TOKEN_AUDIENCE": AUDIENCE,
        "GPU_INFERENCE_TOKEN_ALLOWED_SUBJECTS": json.dumps([SUBJECT]),
        "GPU_INFERENCE_TOKEN_JWKS_FILE": str(published),
    }


@pytest.fixture(scope="module")
def server(start_module_server: StartServer, served: Path) -> Server:
    server = start_module_server(**settings(served))
    server.wait_ready()
    return server


def test_a_server_accepts_tokens_and_challenges_all_else(server: Server) -> None:
    assert server.score("1", Authorization=f"Bearer {KEY.token()}").status_code == 200
    refused = server.score("1", Authorization=f"Bearer {KEY.token(aud='other')}")
    assert (refused.status_code, refused.json()) == (401, {"message": INVALID})
    assert refused.headers["WWW-Authenticate"] == "Bearer"
    missing = server.score("1")
    assert (missing.status_code, missing.json()) == (401, {"message": "Unauthorized, no Auth Header"})
    assert 'gpu_inference_refusals_total{reason="token"} 2.0' in server.management("/metrics").text


def test_a_large_body_arrives_whole_while_its_token_is_checked(server: Server) -> None:
    body = "".join(f"{number:07}" for number in range(40_000))
    for _ in range(20):
        assert server.score(body, Authorization=f"Bearer {KEY.token()}").json() == body


def test_a_server_tells_the_reason_in_its_log_under_the_requests_id(server: Server) -> None:
    token = KEY.token(sub="stranger")
    server.score("1", Authorization=f"Bearer {token}", **{"x-request-id": "who-was-it"})
    server.wait_for_log("[who-was-it] Refused a token: the subject 'stranger' is not one of the allowed ones")
    assert token not in server.log
    assert token.split(".")[2] not in server.log


def test_a_server_answers_503_until_it_has_the_issuers_keys(
    start_server: StartServer, tmp_path: Path
) -> None:
    server = start_server(**settings(tmp_path / "later.json"))
    server.wait_ready()
    answer = server.score("1", Authorization=f"Bearer {KEY.token()}")
    assert (answer.status_code, answer.json()) == (503, {"message": "No token can be checked yet."})
    assert answer.headers["Retry-After"] == "1"
    assert "cannot be read from" in server.log
    assert "No such file or directory; no token can be checked" in server.log
    (tmp_path / "later.json").write_text(key_set(KEY))
    assert server.score("1", Authorization=f"Bearer {KEY.token()}").status_code == 200


def test_without_keys_no_token_is_checked(tmp_path: Path) -> None:
    with pytest.raises(IssuerUnknownError):
        refusal(Tokens(IssuerFile(ISSUER, tmp_path / "none"), AUDIENCE, [SUBJECT]), KEY.token())


def test_a_server_that_asks_for_no_token_loads_no_cryptography(start_server: StartServer) -> None:
    script = (
        "import sys\ndef init(): pass\ndef run(_): return sorted(m for m in sys.modules if m in WANTED)\n"
    )
    script += "WANTED = ('jwt', 'cryptography')"
    server = start_server(script)
    server.wait_ready()
    assert server.score("").json() == []
