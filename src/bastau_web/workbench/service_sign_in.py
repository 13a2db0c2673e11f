"""Signing in through the organisation's own service (OpenID Connect), by Authlib, the extra ``oidc``.

Authorization code with PKCE, state and nonce; keys and addresses from the service's discovery document.
"""

import contextlib
import logging
from collections.abc import Iterator
from functools import cache
from typing import Any

from django.http import HttpRequest, HttpResponseBase

from bastau.home import Home
from bastau.network import read_secret
from bastau_web.workbench.configuring import the_home

_log = logging.getLogger(__name__)
_TIMEOUT_S = 10
_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""Signatures that only the service can make: none with a shared secret, and not "none"."""


class SignInFailed(Exception):
    """The service did not vouch for anybody, or not in a way that can be believed."""


def is_on() -> bool:
    """Tell whether a service is named in the settings."""
    return bool(the_home().settings.web.oidc_issuer)


def begin(request: HttpRequest, back: str) -> HttpResponseBase:
    """Send the browser to the service; ``back`` is the whole address to which it returns.

    Raises:
        SignInFailed: the service cannot be asked.
    """
    with _told():
        answer: HttpResponseBase = _service(the_home()).authorize_redirect(request, back)
        return answer


def identity(request: HttpRequest) -> str:
    """Return issuer and subject of whoever comes back from the service.

    Raises:
        SignInFailed: it is not the answer to what this browser asked, or the token is not right.
    """
    web = the_home().settings.web
    with _told():
        service = _service(the_home())
        options = {
            "iss": {"essential": True, "value": web.oidc_issuer},
            "aud": {"essential": True, "value": web.oidc_client_id},
        }
        token = service.authorize_access_token(request, claims_options=options)
        subject = token["userinfo"]["sub"]
    if not isinstance(subject, str) or not subject.isprintable() or len(subject) > 255:
        raise SignInFailed
    return f"{web.oidc_issuer} {subject}"


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Turn what the library raises into one error; the log says which, and nothing of whom it was about."""
    from authlib.common.errors import AuthlibBaseError
    from joserfc.errors import JoseError
    from requests import RequestException

    try:
        yield
    except (AuthlibBaseError, JoseError, RequestException, RuntimeError, KeyError, TypeError, ValueError) as error:
        _log.warning("sign-in service: %s %s", type(error).__name__, getattr(error, "error", ""))
        raise SignInFailed from error


@cache
def _client(home: Home) -> Any:
    from authlib.integrations.django_client import OAuth

    web = home.settings.web
    return OAuth().register(
        "service",
        client_id=web.oidc_client_id,
        client_secret=read_secret(web.oidc_client_secret),
        server_metadata_url=f"{web.oidc_issuer.rstrip('/')}/.well-known/openid-configuration",
        client_kwargs={"scope": "openid", "code_challenge_method": "S256", "default_timeout": _TIMEOUT_S},
    )


def _service(home: Home) -> Any:
    client = _client(home)
    metadata = client.load_server_metadata()
    issuer, named = metadata.get("issuer"), home.settings.web.oidc_issuer
    if issuer != named:  # to the letter, as the standard asks: a slash at the end counts
        _log.error("sign-in service: its discovery document says it is %r, but web.oidc_issuer is %r", issuer, named)
        raise SignInFailed
    offered = metadata.get("id_token_signing_alg_values_supported") or ["RS256"]
    metadata["id_token_signing_alg_values_supported"] = [one for one in offered if one in _ALGORITHMS]
    return client
