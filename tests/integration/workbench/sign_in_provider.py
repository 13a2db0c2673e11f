"""A sign-in service (OpenID Connect) that says what a test tells it to, right or wrong."""

import base64
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT, SECRET = "bastau", "secret of the client"
_KEY, _OTHER_KEY = RSAKey.generate_key(2048, {"kid": "one"}), RSAKey.generate_key(2048, {"kid": "one"})


@dataclass
class Provider:
    """What the service does.

    Attributes:
        claims: that take the place of the right ones in tokens; None takes one out.
        answer: that takes the place of the token endpoint's; None: the right one.
        metadata: that takes the place of what the discovery document says.
    """

    issuer: str
    claims: dict[str, Any] = field(default_factory=dict)
    answer: dict[str, Any] | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    signs_with_another_key: bool = False
    is_signed: bool = True
    asked: list[str] = field(default_factory=list)
    _codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def authorize(self, address: str) -> dict[str, str]:
        """Sign somebody in at the address to which the browser was sent; return what it brings back."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
        assert query["response_type"] == "code"
        assert query["client_id"] == CLIENT
        assert query["code_challenge_method"] == "S256"
        code = f"code{len(self._codes)}"
        self._codes[code] = query
        return {"code": code, "state": query["state"]}

    def token(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        """Answer a code with a token, once."""
        query = self._codes.pop(form.get("code", ""), None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest()).rstrip(
            b"="
        )
        client = base64.b64decode(authorization.removeprefix("Basic ")).decode()
        if (
            query is None
            or query["code_challenge"] != challenge.decode()
            or query["redirect_uri"] != form["redirect_uri"]
        ):
            return 400, {"error": "invalid_grant"}
        if client not in (
            f"{CLIENT}:{SECRET}",
            f"{CLIENT}:{SECRET.replace(' ', '+')}",
            f"{CLIENT}:{SECRET.replace(' ', '%20')}",
        ):
            return 401, {"error": "invalid_client"}
        if self.answer is not None:
            return 200, self.answer
        now = int(time.time())
        claims = {"iss": self.issuer, "sub": "17", "aud": CLIENT, "exp": now + 60, "iat": now, "nonce": query["nonce"]}
        claims = {name: value for name, value in (claims | self.claims).items() if value is not None}
        token = jwt.encode({"alg": "RS256", "kid": "one"}, claims, _OTHER_KEY if self.signs_with_another_key else _KEY)
        if not self.is_signed:
            head = base64.urlsafe_b64encode(json.dumps({"alg": "none"}).encode()).rstrip(b"=").decode()
            token = f"{head}.{token.split('.')[1]}."
        return 200, {"access_token": "a", "token_type": "Bearer", "expires_in": 60, "id_token": token}

    def document(self) -> dict[str, Any]:
        """Return the discovery document."""
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256", "none", "HS256"],
        } | self.metadata


@contextmanager
def provider() -> Iterator[Provider]:
    """Serve one on this machine."""

    class Asked(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            told.asked.append(path)
            if path == "/.well-known/openid-configuration":
                self.tell(200, told.document())
            elif path == "/jwks":
                self.tell(200, {"keys": [_KEY.as_dict(private=False)]})
            else:
                self.tell(404, {})

        def do_POST(self) -> None:
            told.asked.append(self.path)
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            self.tell(*told.token(form, self.headers.get("Authorization", "")))

        def tell(self, status: int, answer: dict[str, Any]) -> None:
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Asked)
    told = Provider(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
