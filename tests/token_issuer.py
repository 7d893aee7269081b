"""An issuer of tokens for the tests: its keys, the key set that it publishes, the tokens that it signs."""

import base64
import json
import time
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

AUDIENCE = "mnist"
ISSUER = "https://issuer.example"
SUBJECT = "system:serviceaccount:team:client"

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


class SigningKey:
    """A key pair with an id."""

    def __init__(self, key_id: str, algorithm: str = "ES256", bits: int = 2048) -> None:
        self.key_id = key_id
        self.algorithm = algorithm
        self.private: PrivateKey
        if algorithm.startswith(("RS", "PS")):
            self.private = rsa.generate_private_key(65537, bits)
        elif algorithm == "EdDSA":
            self.private = ed25519.Ed25519PrivateKey.generate()
        else:
            curves = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}
            self.private = ec.generate_private_key(curves[algorithm])

    @property
    def jwk(self) -> dict[str, Any]:
        """The public half as it is published."""
        public = self.private.public_key()
        if isinstance(public, rsa.RSAPublicKey):
            entry = RSAAlgorithm.to_jwk(public, as_dict=True)
        elif isinstance(public, ec.EllipticCurvePublicKey):
            entry = ECAlgorithm.to_jwk(public, as_dict=True)
        else:
            entry = OKPAlgorithm.to_jwk(public, as_dict=True)
        return {**entry, "kid": self.key_id}

    @property
    def public_pem(self) -> bytes:
        """The public half as a file has it."""
        return self.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def token(
        self, algorithm: str | None = None, headers: dict[str, Any] | None = None, **claims: Any
    ) -> str:
        """Return a token that is good but for what is said; a claim of None is left out."""
        now = int(time.time())
        content = {"iss": ISSUER, "aud": AUDIENCE, "sub": SUBJECT, "iat": now, "exp": now + 600, **claims}
        return jwt.encode(
            {name: value for name, value in content.items() if value is not None},
            self.private,
            algorithm or self.algorithm,
            {"kid": self.key_id, **(headers or {})},
        )


def key_set(*keys: SigningKey) -> str:
    """Return what an issuer with these keys publishes."""
    return json.dumps({"keys": [key.jwk for key in keys]})


def unsigned(token: str) -> str:
    """Return the token with `alg: none` and without its signature."""
    header, payload, _ = token.split(".")
    content = json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))
    changed = json.dumps({**content, "alg": "none"}).encode()
    return f"{base64.urlsafe_b64encode(changed).rstrip(b'=').decode()}.{payload}."
