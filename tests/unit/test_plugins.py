from importlib.metadata import EntryPoint, EntryPoints

import pytest

from bastau import plugins
from bastau.errors import ConfigError


def offers(*points: tuple[str, str, str]) -> EntryPoints:
    return EntryPoints(EntryPoint(name, value, f"bastau.{kind}") for kind, name, value in points)


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    points = offers(
        ("collectors", "loads", "json:loads"),
        ("collectors", "twice", "json:loads"),
        ("collectors", "twice", "json:dumps"),
        ("stages", "dumps", "json:dumps"),
    )
    monkeypatch.setattr(plugins, "entry_points", lambda group: points.select(group=group))


@pytest.mark.usefixtures("installed")
class TestPlugIns:
    def test_are_loaded_by_kind_and_name(self) -> None:
        assert plugins.load("collectors", "loads")("[1]") == [1]
        assert plugins.load("stages", "dumps")([1]) == "[1]"

    def test_that_nobody_offers_are_named_with_those_that_are(self) -> None:
        with pytest.raises(ConfigError, match="no collectors called 'dumps'; known: loads, twice"):
            plugins.load("collectors", "dumps")
        with pytest.raises(ConfigError, match="known: none installed"):
            plugins.load("rules", "any")

    def test_offered_twice_are_refused_with_both(self) -> None:
        with pytest.raises(ConfigError, match="'twice' is offered twice: json:loads, json:dumps"):
            plugins.load("collectors", "twice")

    def test_are_listed_by_kind(self) -> None:
        assert set(plugins.names("collectors")) == {"loads", "twice"}
        assert plugins.names("rules") == []


@pytest.mark.parametrize("kind", ["collectors", "stages", "rules"])
def test_every_built_in_loads(kind: str) -> None:
    for name in plugins.names(kind):
        assert plugins.load(kind, name) is not None
