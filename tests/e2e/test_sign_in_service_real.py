"""Signing in through a real, certified OpenID Connect provider, from the first page to the account and back."""

import re
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from html import unescape
from http.cookiejar import CookieJar
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode, urljoin

import pytest

BASTAU = Path(sys.executable).with_name("bastau")
PROVIDER = Path(__file__).parent / "sign_in_service"
PASSWORD, SECRET = "correct horse battery staple", "a secret between the two services"

pytestmark = [
    pytest.mark.skipif(
        shutil.which("node") is None, reason="no Node.js: install it to test signing in at a real service"
    ),
    pytest.mark.skipif(
        not (PROVIDER / "node_modules").exists(), reason="no oidc-provider: install npm and run ./run test"
    ),
]


class Page(NamedTuple):
    status: int
    address: str
    text: str


class Browser:
    """Follows links and fills forms."""

    def __init__(self) -> None:
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))

    def open(self, address: str, form: dict[str, str] | None = None) -> Page:
        data = None if form is None else urlencode(form).encode()
        try:
            with self._opener.open(address, data, timeout=60) as answer:
                return Page(answer.status, answer.url, answer.read().decode())
        except urllib.error.HTTPError as error:
            return Page(error.code, error.url, error.read().decode())

    def send(self, page: Page, **values: str) -> Page:
        """Send the last form of a page with what it hides."""
        form = page.text[page.text.rindex("<form") :]
        hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form))
        action = re.search(r'action="([^"]*)"', form)
        return self.open(urljoin(page.address, unescape(action[1]) if action else ""), hidden | values)


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    home, port, own = tmp_path_factory.mktemp("home"), free_port(), free_port()
    issuer, workbench = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{own}"
    secret = home / "client-secret"
    secret.write_text(SECRET)
    (home / "bastau.toml").write_text(
        f'[web]\noidc_issuer = "{issuer}"\noidc_client_id = "bastau"\noidc_client_secret = "file:{secret}"\n'
    )
    password = home / "password"
    password.touch(0o600)
    password.write_text(PASSWORD)
    add = [BASTAU, "user", "add", "root", "--role", "admin", "--home", home, "--password-file", password]
    subprocess.run(add, check=True, capture_output=True)
    serve = [BASTAU, "serve", "--home", home, "--port", str(own)]
    provide = ["node", "provider.js", str(port), f"{workbench}/sign-in/service/back", SECRET]
    with (
        subprocess.Popen(
            provide, cwd=PROVIDER, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as service,
        subprocess.Popen(serve, stdout=subprocess.PIPE, text=True) as served,
    ):
        try:
            assert service.stdout.readline() == "ready\n"
            assert workbench in served.stdout.readline()
            yield workbench, issuer
        finally:
            service.terminate()
            served.terminate()


def sign_in_at_service(browser: Browser, workbench: str, name: str) -> Page:
    page = browser.open(f"{workbench}/sign-in/service?next=/account")
    page = browser.send(page, login=name, password="any")
    return browser.send(page)  # yes, bastau may know who I am


def test_an_unknown_person_gives_a_line_to_an_admin_and_is_in_after_that(addresses: tuple[str, str]) -> None:
    workbench, issuer = addresses
    ana, root = Browser(), Browser()
    unknown = sign_in_at_service(ana, workbench, "ana")
    assert unknown.status == 403
    identity = re.search(r"<code>([^<]+)</code>", unknown.text)[1]
    assert identity == f"{issuer} ana"

    root.send(root.open(f"{workbench}/sign-in"), name="root", password=PASSWORD)
    root.send(root.open(f"{workbench}/accounts"), name="ana", role="analyst")
    page = root.open(f"{workbench}/accounts/of/ana")
    token = re.search(r'csrfmiddlewaretoken" value="(\w+)"', page.text)[1]
    form = {"csrfmiddlewaretoken": token, "act": "identity", "identity": identity}
    assert root.open(f"{workbench}/accounts/of/ana/change", form).status == 200

    mine = ana.open(f"{workbench}/sign-in/service?next=/account")  # the service still knows her
    assert (mine.status, mine.address) == (200, f"{workbench}/account")
    assert "<bdi>ana</bdi>" in mine.text
    assert sign_in_at_service(Browser(), workbench, "boris").status == 403


def test_a_person_who_says_no_at_the_service_stays_out(addresses: tuple[str, str]) -> None:
    workbench, _ = addresses
    browser = Browser()
    page = browser.open(f"{workbench}/sign-in/service")
    cancel = re.search(r'href="([^"]*/abort)"', page.text)[1]
    back = browser.open(urljoin(page.address, cancel))
    assert back.status == 403
    assert back.address.startswith(f"{workbench}/sign-in/service/back")
    assert browser.open(f"{workbench}/account").address.startswith(f"{workbench}/sign-in")
