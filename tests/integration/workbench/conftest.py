"""One processed home and one configured Django for all tests of the workbench in a process."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from workbench_home import PASSWORD, make_home

from bastau.home import Home
from bastau_web.workbench.configuring import configure

# Models can be imported only once Django knows its database, so the folder is there before the tests are read.
_FOLDER = Path(tempfile.mkdtemp(prefix="bastau-workbench-"))
configure(Home.open(_FOLDER / "home", create=True))


@pytest.fixture(scope="session")
def workbench() -> Iterator[Home]:
    """The home that Django is configured for, its database made."""
    from django.core.management import call_command
    from django.test.utils import setup_test_environment

    home = make_home(_FOLDER)
    call_command("migrate", verbosity=0)
    setup_test_environment()
    yield home
    shutil.rmtree(_FOLDER)


@pytest.fixture(scope="module", autouse=True)
def as_it_was(workbench: Home) -> Iterator[None]:
    """What the tests of a file add to the home is gone before those of the next: their order is nobody's promise."""
    from bastau_web.workbench import acting

    before = set(workbench.folder.iterdir())
    yield
    for added in set(workbench.folder.iterdir()) - before:
        shutil.rmtree(added) if added.is_dir() else added.unlink()
    acting._desk.cache_clear()


@pytest.fixture
def database(workbench: Home) -> Iterator[None]:
    """Whatever a test writes is taken back."""
    from django.db import transaction
    from django.test import override_settings

    # Argon2 is slow on purpose; what is tested here is not how slow.
    with override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"]), transaction.atomic():
        yield
        transaction.set_rollback(True)


@pytest.fixture
def client(database: None) -> object:
    """A browser that is not signed in."""
    from django.test import Client

    return Client()


@pytest.fixture
def signed_in(database: None) -> Callable[..., object]:
    """Return a browser signed in with the given roles."""
    from django.test import Client

    from bastau_web.workbench.models import Account
    from bastau_web.workbench.roles import Role

    def sign_in(*roles: str, name: str = "") -> object:
        account = Account.objects.add(name or f"of_{'_'.join(roles) or 'nothing'}", PASSWORD, [Role(r) for r in roles])
        browser = Client()
        browser.force_login(account, backend="django.contrib.auth.backends.ModelBackend")
        return browser

    return sign_in
