"""The docs agree with the code: links lead somewhere, commands parse, reference pages and pins are fresh."""

import importlib.util
import inspect
import re
import shlex
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement

from bastau import __version__, cli
from bastau.cli import build_parser

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
LOCKS = ("requirements.lock", "requirements-test.lock", "requirements-bench.lock")


def page_id(page: Path) -> str:
    return str(page.relative_to(ROOT))


def anchors(text: str) -> set[str]:
    """The anchors that a Markdown page gives its headings."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def examples(text: str) -> list[str]:
    """The `bastau` commands in the code blocks of a page, as one would type them."""
    return re.findall(r"^(?: {4}|\$ )(bastau [a-z][^#\n|>]*)", text, re.MULTILINE)


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", PAGES, ids=page_id)
class TestEveryPage:
    def test_links_to_what_is_there(self, page: Path) -> None:
        text = page.read_text("utf-8")
        broken = []
        for link in LINK.findall(text):
            target, _, anchor = link.partition("#")
            if target.startswith(("https:", "mailto:")):
                continue
            file = page.parent / target if target else page
            if not file.exists() or (anchor and anchor not in anchors(file.read_text("utf-8"))):
                broken.append(link)
        assert broken == []

    def test_shows_commands_that_exist(self, page: Path) -> None:
        for example in examples(page.read_text("utf-8")):
            arguments = shlex.split(example)[1:]
            if "--help" in arguments:
                continue
            try:
                build_parser().parse_args(arguments)
            except SystemExit:
                pytest.fail(f"no such command: {example}")


def test_the_first_pages_show_commands_to_check() -> None:
    assert len(examples((ROOT / "README.md").read_text("utf-8"))) >= 5
    assert len(examples((ROOT / "docs" / "tutorial.md").read_text("utf-8"))) >= 8


def test_reference_pages_are_fresh() -> None:
    reference = load(ROOT / "docs" / "generate_reference.py")
    assert reference.main(["--check"]) == 0, "run: .venv/bin/python docs/generate_reference.py"


def test_a_stale_reference_page_is_noticed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reference = load(ROOT / "docs" / "generate_reference.py")
    reference.FOLDER = tmp_path
    assert reference.main([]) == 0
    assert reference.main(["--check"]) == 0
    (tmp_path / "settings.md").write_text("old")
    (tmp_path / "gone.md").write_text("")
    assert reference.main(["--check"]) == 1
    assert "stale: settings.md, gone.md" in capsys.readouterr().err


def test_every_command_has_a_reference_section() -> None:
    text = (ROOT / "docs" / "reference" / "commands.md").read_text("utf-8")
    commands = next(a for a in build_parser()._actions if a.dest == "command").choices
    assert commands
    assert [name for name in commands if f"\n## bastau {name}\n" not in text] == []


def test_the_command_line_says_in_which_module_each_command_stands() -> None:
    folder = Path(cli.__file__).parent
    listed = re.findall(r"^    (\w+) +([\w, ]+)", cli.__doc__ or "", re.MULTILINE)
    said = {command: module for module, names in listed for command in names.split(", ")}
    commands = next(a for a in build_parser()._actions if a.dest == "command").choices
    found = {name: Path(inspect.getfile(parser.get_default("run"))) for name, parser in commands.items()}
    assert {name: folder / f"{module}.py" for name, module in said.items()} == found


def test_the_changelog_has_this_version_or_is_unreleased() -> None:
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert re.search(r"^## \[Unreleased\]", text, re.MULTILINE)
    released = re.findall(r"^## \[(\d[^\]]*)\]", text, re.MULTILINE)
    assert not released or released[0] == __version__


class TestDependencies:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

    def wanted(self, *extras: str) -> list[Requirement]:
        lines = [*self.project["dependencies"]]
        for extra in extras:
            lines += self.project["optional-dependencies"][extra]
        return [Requirement(line) for line in lines]

    def test_are_pinned_exactly_and_within_their_bounds(self) -> None:
        pins: dict[str, str] = {}
        for lock in LOCKS:
            for line in (ROOT / lock).read_text("utf-8").splitlines():
                if line and not line.startswith("#"):
                    name, equals, version = line.partition("==")
                    assert equals, f"{lock}: {line} is not exact"
                    assert name not in pins, f"{lock}: {name} is pinned twice"
                    pins[name] = version
        for requirement in self.wanted("test", "spark", "bench"):
            pinned = pins.get(requirement.name.lower())
            assert pinned is not None, f"{requirement.name} is not pinned: ./run lock"
            assert requirement.specifier.contains(pinned), f"{requirement} is pinned to {pinned}: ./run lock"

    def test_have_a_line_each_in_the_decision_note(self) -> None:
        text = (ROOT / "docs" / "decisions" / "0002-dependencies.md").read_text("utf-8")
        extras = self.project["optional-dependencies"]
        assert [r.name for r in self.wanted(*extras) if r.name not in text] == []
