"""How a command ends, whatever it does."""

import signal
from collections.abc import Iterator

import pytest

from bastau.cli import main, status


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def stop(_options: object) -> int:
        raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(status, "COMMANDS", (status.COMMANDS[0]._replace(run=stop),))
    yield
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_says_what_stays_and_a_second_one_ends_at_once(
    interrupted: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["status"]) == 130
    assert "what was stored stays" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGINT) == signal.SIG_DFL
