"""SCOPE, rule 2: content and publishers, never persons.

The posts here are made so that private accounts are the earliest, the most repeated and the most coordinated. Whatever
judges (scores, ranks, p-values) may then still name publishers only.
"""

import contextlib
import dataclasses
import io
import json
import random
import re
import types
import typing
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cached_property
from html.parser import HTMLParser
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bastau.cli import main
from bastau.cli.export import EXPORTS
from bastau.report.brief import Brief
from bastau.report.locale import LOCALES
from bastau.report.trace import Trace
from bastau.schemas import TABLES
from bastau.shield.exports import endings

JUDGES = re.compile(
    r"(?:^|_)(?:score|label|rank|confidence|p_value|q_value|probability|prediction|risk|rating|grade|verdict|weight|credit)"
    r"s?(?:$|_)"
)
"""Names of columns that say something about their subject beyond what it published."""

PSEUDONYM = re.compile(r"p~[a-z2-7]{16}")

ALLOWED = {
    "claims.verdict": "subject: a claim; the words of its published fact-check",
    "readings.language_score": "subject: the language of one text",
    "matches.suggestions.score": "subject: one text; orders a reviewer's queue and decides nothing",
    "matches.model_score": "subject: one text; orders a reviewer's queue and decides nothing",
    "claim_matches.score": "subject: one text and a fact-check; how likely the one is about the other",
    "tellings.score": "subject: a text; how well it fits the texts of its story",
    "theme_members.score": "subject: the text of a story; how well it fits the texts of its theme",
    "curated.score": "subject: a text and a proposition of the operator; what chance makes of their likeness",
    "origins.candidates.confidence": "subject: a publisher",
    "copies.credit": "subject: one copy; splits a repeat between the posts it may come from",
    "amplifiers.score": "subject: a publisher",
    "copy_network.credit": "subject: what one publisher copied from another; pairs with a private account are not stored",
    "influence.weight": "subject: two platforms",
    "co_shares.weight": "subject: a pair of publishers; pairs with a private account are not stored",
    "co_shares.p_value": "subject: a pair of publishers; pairs with a private account are not stored",
    "coordination.p_value": "subject: a group of publishers; private accounts are a number in it",
    "families.p_value": "subject: a group of websites",
    "site_links.p_value": "subject: a pair of websites",
}
"""Every stored column that judges, and who its subject is."""
ALLOWED_STATE = {"state_claims.score": "subject: one text and a fact-check; what the next run need not look up again"}
"""The same for what only the next run reads."""

ALLOWED_EXPORTS = {
    "copies.credit": "subject: what one publisher copied from another",
    "influence.weight": "subject: two platforms",
    "narratives.origin.candidates.confidence": "subject: a publisher",
    "narratives.amplifiers.score": "subject: a publisher",
    "narratives.claims.score": "subject: a text and a fact-check; how likely the one is about the other",
    "narratives.curated.score": "subject: a narrative's text and a proposition of the operator",
    "stories.curated.score": "subject: a story's texts and a proposition of the operator",
    "narratives.suggestions.score": "subject: a narrative's texts; orders a reviewer's queue",
    "coordination.p_value": "subject: a group of publishers",
    "families.p_value": "subject: a group of websites",
    "graph.edge.weight": "subject: what passed between two publishers",
    "graph.edge.p_value": "subject: a pair of publishers",
}
ALLOWED_RESEARCH = {
    "narratives.candidate_confidences": "subject: a publisher",
    "narratives.amplifier_scores": "subject: a publisher",
    "coordination.p_value": "subject: a group of publishers",
    "families.p_value": "subject: a group of websites",
}
ALLOWED_ANSWERS = {
    "trace.influence.weight": "subject: two platforms",
    "report.influence.weight": "subject: two platforms",
    "trace.first_seen.candidates.confidence": "subject: a publisher",
    "trace.edges.credit": "subject: copies between two publishers",
    "trace.amplifiers.score": "subject: a publisher",
    "trace.amplifiers.score_overall": "subject: a publisher",
    "trace.not_known.values.confidence": "subject: nobody; how likely it is that the first was not observed",
    "trace.fact_checks.verdict": "subject: a claim; the words of its published fact-check",
    "trace.curated.score": "subject: a narrative's text and a proposition of the operator",
    "trace.groups.p_value": "subject: a group of publishers",
    "trace.kin.p_value": "subject: a group of websites",
    "report.new.confidence": "subject: a publisher (`earliest`)",
    "report.rising.confidence": "subject: a publisher (`earliest`)",
    "report.across_languages.confidence": "subject: a publisher (`earliest`)",
    "report.coordinated.p_value": "subject: a group of publishers",
}

PRIVATE = [f"tynysh_{name}" for name in ("aq", "boz", "kok", "qara", "sary", "qyzyl")]
QUIET = [f"ashyq_{name}" for name in ("bir", "eki", "ush", "tort", "bes")]
OUTLETS = [f"gazeta_{name}" for name in ("altai", "balqash", "caspi", "dala")]
SYLLABLES = (
    "ba",
    "de",
    "gu",
    "ka",
    "lo",
    "mi",
    "na",
    "pe",
    "ru",
    "so",
    "ta",
    "je",
    "shy",
    "be",
    "do",
    "ga",
    "ke",
    "mu",
)
START = datetime(2024, 5, 1, tzinfo=UTC)


# ---- posts in which private accounts stand out -------------------------------------------------------------


def _post(author: str, number: int, minute: float, **fields: object) -> dict[str, object]:
    is_private = author not in OUTLETS
    return {
        "post_id": f"x:{author}/{number}",
        "platform": "x",
        "source": author,
        "source_kind": "account",
        "source_name": author.replace("_", " ").title(),
        "audience": 40 if is_private else 90_000,
        "published_at": (START + timedelta(minutes=minute)).isoformat(),
        "url": f"https://x.com/{author}/status/{number}",
    } | fields


def _words(dice: random.Random, n: int = 12) -> str:
    """Return words of no language, so that no two texts are alike by chance."""
    return " ".join("".join(dice.choice(SYLLABLES) for _ in range(dice.randint(2, 4))) for _ in range(n))


def _posts() -> Iterator[dict[str, object]]:
    dice = random.Random(5)
    number = 0
    for hour in range(72):  # so that the lead-in of what follows was looked at
        number += 1
        yield _post("gazeta_dala", number, hour * 60 - 3 * 1440, text=_words(dice))
    for i in range(8):
        begin, number = i * 240, number + 100
        first = _post(PRIVATE[0], number, begin, text=_words(dice))
        yield first
        # Everybody repeats the private author, who so is the earliest and the most repeated by far.
        for k, author in enumerate([*PRIVATE[1:], *OUTLETS]):
            repeat = f"RT @{PRIVATE[0]}: {first['text']}"
            origin = {"repost_of": first["post_id"], "forwarded_from": PRIVATE[0]}
            yield _post(author, number + 1 + k, begin + 5 + 5 * k, text=repeat, **origin)
        # The outlets tell it themselves too, and repeat one another.
        told = _post(OUTLETS[0], number + 20, begin + 60, text=f"{first['text']} @{PRIVATE[0]}")
        yield told
        for k, author in enumerate(OUTLETS[1:]):
            repeat = f"RT @{OUTLETS[0]}: {told['text']}"
            yield _post(author, number + 30 + k, begin + 65 + 5 * k, text=repeat, repost_of=told["post_id"])
        # All six private accounts and three outlets share an address within seconds, five other private ones another.
        for what, authors in (("news", [*PRIVATE, *OUTLETS[:3]]), ("other", QUIET)):
            number += 20
            for k, author in enumerate(authors):
                link = f"https://{what}.example/{i}"
                yield _post(
                    author, number + 30 + k, begin + number / 10 % 100 + k / 20, text=_words(dice), links=[link]
                )
        for k in range(30):  # somebody has to share something else
            yield _post(
                f"adam_{k}", number + k, begin + 7 * k, text=_words(dice), links=[f"https://site{k}.example/{i}"]
            )


@dataclasses.dataclass(frozen=True)
class World:
    """A processed home and everything it gives out."""

    folder: Path

    @property
    def home(self) -> Path:
        return self.folder / "home"

    def bastau(self, *arguments: str | Path) -> str:
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            code = main([*map(str, arguments), "--home", str(self.home)])
        assert code == 0, out.getvalue()
        return out.getvalue()

    def table(self, name: str) -> list[dict[str, typing.Any]]:
        from bastau.home import Home

        con = Home.open(self.home).connect()
        rows: list[dict[str, typing.Any]] = con.sql(f"FROM {name}").to_arrow_table().to_pylist()
        return rows

    @cached_property
    def narrative_ids(self) -> list[str]:
        return [row["narrative_id"] for row in self.table("narratives")]

    @cached_property
    def exports(self) -> dict[str, Path]:
        """Every export in every form, by `what.ending`."""
        made = {}
        for what in EXPORTS:
            for ending in endings()[what]:
                path = self.folder / f"{what}{ending}"
                self.bastau("export", what, "-o", path)
                made[path.name] = path
        return made

    @cached_property
    def research(self) -> dict[str, pa.Table]:
        """The tables of a researchers' export."""
        said = "\n".join(f'{name} = "x"' for name in ("publisher", "contact", "licence", "purpose"))
        (self.folder / "about.toml").write_text(said, "utf-8")
        self.bastau("export", "research", "-o", self.folder / "research", "--about", self.folder / "about.toml")
        return {path.stem: pq.read_table(path) for path in (self.folder / "research").glob("*.parquet")}

    @cached_property
    def answers(self) -> dict[str, str]:
        """What trace and brief say, on the terminal, as JSON and as pages."""
        said = {}
        page = self.folder / "page.html"
        for narrative_id in self.narrative_ids:
            said[f"trace {narrative_id}, terminal"] = self.bastau(
                "trace", narrative_id, "--html", page, "--locale", "en"
            )
            said[f"trace {narrative_id}, page"] = page.read_text("utf-8")
            said[f"trace {narrative_id}, JSON"] = self.bastau("trace", narrative_id, "--json")
        brief = self.folder / "brief.html"
        for locale in LOCALES:
            period = ("--from", "2024-04-28", "--to", "2024-05-03", "--locale", locale)
            said[f"report {locale}, terminal"] = self.bastau("report", "-o", brief, "--traces", *period)
            said[f"report {locale}, page"] = brief.read_text("utf-8")
            for path in (self.folder / "brief-traces").iterdir():
                said[f"report {locale}, {path.name}"] = path.read_text("utf-8")
            said[f"report {locale}, JSON"] = self.bastau("report", *period, "--json")
        said["status, JSON"] = self.bastau("status", "--json")
        return said


def _world(folder: Path, settings: str) -> World:
    world = World(folder)
    world.home.mkdir()
    (world.home / "bastau.toml").write_text(settings, "utf-8")
    lines = "\n".join(json.dumps(post, ensure_ascii=False) for post in _posts())
    (folder / "posts.ndjson").write_text(lines, "utf-8")
    world.bastau("import", folder / "posts.ndjson")
    world.bastau("run")
    return world


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return _world(tmp_path_factory.mktemp("private"), "")


@pytest.fixture(scope="module")
def open_world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """The same posts where everybody is a publisher."""
    return _world(tmp_path_factory.mktemp("open"), "[publishers]\nmin_audience = 0\n")


# ---- schemas -----------------------------------------------------------------------------------------------


def paths(name: str, type_: pa.DataType) -> Iterator[str]:
    """Yield the dotted path of a column and of every field inside it."""
    yield name
    if pa.types.is_list(type_) or pa.types.is_large_list(type_):
        yield from list(paths(name, type_.value_type))[1:]
    elif pa.types.is_struct(type_):
        for field in type_:
            yield from paths(f"{name}.{field.name}", field.type)


def judging(table: str, schema: pa.Schema) -> set[str]:
    found = {path for field in schema for path in paths(f"{table}.{field.name}", field.type)}
    return {path for path in found if JUDGES.search(path.rsplit(".", 1)[-1])}


def fields(name: str, kind: object) -> Iterator[str]:
    """Yield the dotted path of every field of a dataclass and of what it is made of."""
    for inner in typing.get_args(kind):
        yield from fields(name, inner)
    if isinstance(kind, type) and not isinstance(kind, types.GenericAlias) and dataclasses.is_dataclass(kind):
        for field, type_ in typing.get_type_hints(kind).items():
            yield f"{name}.{field}"
            yield from fields(f"{name}.{field}", type_)


def keys(name: str, value: object) -> Iterator[str]:
    """Yield the dotted path of every key of a JSON value."""
    if isinstance(value, list):
        for item in value:
            yield from keys(name, item)
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield f"{name}.{key}"
            yield from keys(f"{name}.{key}", inner)


class TestColumns:
    def test_no_schema_judges_but_with_a_stated_subject(self) -> None:
        found = set().union(*(judging(name, schema) for name, schema in TABLES.items()))
        assert found == set(ALLOWED)

    def test_a_column_inside_lists_and_structs_is_seen(self) -> None:
        inner = pa.list_(pa.struct([("who", pa.string()), ("risk_score", pa.int64())]))
        assert judging("t", pa.schema([("people", inner), ("ranks", pa.int64())])) == {"t.people.risk_score", "t.ranks"}

    def test_no_stored_file_judges_beyond_the_schemas(self, world: World) -> None:
        files = list(world.home.rglob("*.parquet"))
        assert {"posts", "co_shares", "state_texts"} <= {_table_of(path) for path in files}
        found = set().union(*(judging(_table_of(path), pq.read_schema(path)) for path in files))
        assert found <= {*ALLOWED, *ALLOWED_STATE}

    def test_no_export_judges_but_with_a_stated_subject(self, world: World) -> None:
        found: set[str] = set()
        for name, path in world.exports.items():
            what, ending = name.split(".", 1)
            if ending == "parquet":
                found |= judging(what, pq.read_schema(path))
            elif ending in ("ndjson", "jsonl"):
                rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
                found |= {key for key in keys(what, rows) if JUDGES.search(key.rsplit(".", 1)[-1])}
            elif ending == "csv":
                header = path.read_text("utf-8").splitlines()[:1]
                found |= {f"{what}.{column}" for line in header for column in line.split(",") if JUDGES.search(column)}
            else:
                declared = re.findall(r'(?:attr\.name|title)="(\w+)"', path.read_text("utf-8"))
                on_nodes = re.findall(r'for="node" attr\.name="(\w+)"', path.read_text("utf-8"))
                assert not [name for name in on_nodes if JUDGES.search(name)]
                found |= {f"graph.edge.{attribute}" for attribute in declared if JUDGES.search(attribute)}
        assert found == set(ALLOWED_EXPORTS)

    def test_no_table_for_researchers_judges_but_with_a_stated_subject(self, world: World) -> None:
        found = set().union(*(judging(name, table.schema) for name, table in world.research.items()))
        assert found == set(ALLOWED_RESEARCH)

    def test_no_answer_judges_but_with_a_stated_subject(self, world: World) -> None:
        found = {path for name, kind in (("trace", Trace), ("report", Brief)) for path in fields(name, kind)}
        for name, said in world.answers.items():
            if name.endswith("JSON"):
                found |= set(keys(name.split(" ")[0].rstrip(","), json.loads(said)))
        # What is not known is said in values that differ from trace to trace.
        found |= {"trace.not_known.values.confidence"}
        assert {path for path in found if JUDGES.search(path.rsplit(".", 1)[-1])} == set(ALLOWED_ANSWERS)


def _table_of(path: Path) -> str:
    parts = path.parts
    return path.stem if "generations" in parts else parts[parts.index("lake") + 1]


# ---- findings ----------------------------------------------------------------------------------------------


class TestFindings:
    def test_the_posts_are_such_that_persons_would_be_named(self, open_world: World) -> None:
        """Without this the tests below could pass because there is nothing to hide."""
        origins = open_world.table("origins")
        assert PRIVATE[0] in {c["source"] for row in origins for c in row["candidates"]}
        most = max(
            (row for row in open_world.table("amplifiers") if row["narrative_key"] is None),
            key=lambda r: r["n_repeats"],
        )
        assert most["source"] == PRIVATE[0]
        groups = [set(row["sources"]) for row in open_world.table("coordination")]
        assert {*PRIVATE, *OUTLETS[:3]} in groups
        assert set(QUIET) in groups
        assert PRIVATE[0] in (open_world.exports["graph.graphml"]).read_text("utf-8")

    def test_private_accounts_are_stored_under_pseudonyms_and_still_counted(self, world: World) -> None:
        private = [row for row in world.table("posts") if not row["is_publisher"]]
        assert len(private) > 100
        assert all(PSEUDONYM.fullmatch(row["source"]) and row["source_name"] is None for row in private)
        assert any(row["n_earlier_private"] for row in world.table("origins"))
        groups = [(row["sources"], row["n_other_accounts"]) for row in world.table("coordination")]
        assert groups == [(OUTLETS[:3], len(PRIVATE))]
        assert any(PSEUDONYM.match(row["from_source"]) for row in world.table("copies"))

    @pytest.mark.parametrize("table", ["origins", "amplifiers", "copy_network", "co_shares", "coordination"])
    def test_no_table_that_judges_names_a_private_account(self, table: str, world: World) -> None:
        rows = world.table(table)
        assert rows
        assert not PSEUDONYM.search(json.dumps(rows, default=str))

    def test_no_export_that_judges_names_a_private_account(self, world: World) -> None:
        for name, path in world.exports.items():
            if not name.endswith(".parquet") and name.startswith(("coordination", "graph")):
                assert not PSEUDONYM.search(path.read_text("utf-8")), name
        for line in world.exports["narratives.ndjson"].read_text("utf-8").splitlines():
            narrative = json.loads(line)
            assert not PSEUDONYM.search(json.dumps([narrative["origin"], narrative["amplifiers"]])), narrative[
                "narrative_id"
            ]

    def test_only_posts_their_ids_and_their_words_hold_pseudonyms(self, world: World) -> None:
        holding = {
            name.split(".")[0]
            for name, path in world.exports.items()
            if PSEUDONYM.search(path.read_text("utf-8", "replace"))
        }
        assert holding == {"posts", "narratives", "stories", "themes", "near-duplicates"}

    def test_what_researchers_get_names_no_private_account_and_describes_none_alone(self, world: World) -> None:
        tables_ = {name: table.to_pylist() for name, table in world.research.items()}
        assert {row["source"] for row in tables_["posts"]} == set(OUTLETS)
        said = json.dumps(tables_, default=str).casefold()
        assert not PSEUDONYM.search(said)
        assert not [handle for handle in (*PRIVATE, *QUIET) if handle in said]
        private = world.research["private_posts"]
        assert private.num_rows > 100
        cells = private.group_by([name for name in private.column_names if name != "author"])
        assert min(cells.aggregate([("author", "count_distinct")]).column("author_count_distinct").to_pylist()) >= 10
        assert [row["n_other_accounts"] for row in tables_["coordination"]] == [None]  # six moved with them

    def test_neither_trace_nor_brief_shows_a_pseudonym_or_a_handle(self, world: World) -> None:
        assert len(world.answers) > 20
        for name, said in world.answers.items():
            assert not PSEUDONYM.search(said), name
            assert not [handle for handle in (*PRIVATE, *QUIET) if handle in said.casefold()], name

    def test_rows_of_pages_that_judge_are_headed_by_publishers(self, world: World) -> None:
        known = {row["source"] for row in world.table("publishers")} | {
            row["source_name"] for row in world.table("publishers")
        }
        headed = set()
        for name, said in world.answers.items():
            if name.startswith("trace") and name.endswith("page"):
                for head, rows in tables(said):
                    if any(
                        re.search(r"confidence|score|FIB|rank|chance|p-value", label, re.IGNORECASE) for label in head
                    ):
                        headed |= {row[0] for row in rows}
        assert headed
        assert {head for head in headed if not any(source in head for source in known)} <= {
            "somebody who was not observed"
        }


class _Tables(HTMLParser):
    """Tables of a page: the labels of the columns, and the cells of each row."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[list[str], list[list[str]]]] = []
        self._in_head = self._in_cell = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "table":
            self.found.append(([], []))
        elif tag == "thead":
            self._in_head = True
        elif tag == "tr" and not self._in_head:
            self.found[-1][1].append([])
        elif tag in ("th", "td"):
            self._in_cell = True
            (self.found[-1][0] if self._in_head else self.found[-1][1][-1]).append("")

    def handle_endtag(self, tag: str) -> None:
        if tag == "thead":
            self._in_head = False
        elif tag in ("th", "td"):
            self._in_cell = False

    def handle_data(self, data: str) -> None:
        if self._in_cell:
            cells = self.found[-1][0] if self._in_head else self.found[-1][1][-1]
            cells[-1] += data


def tables(page: str) -> list[tuple[list[str], list[list[str]]]]:
    parser = _Tables()
    parser.feed(page)
    return parser.found


class TestThresholdOfZero:
    def test_everybody_is_a_publisher(self, open_world: World) -> None:
        assert all(row["is_publisher"] for row in open_world.table("posts"))
        assert not PSEUDONYM.search(open_world.exports["posts.ndjson"].read_text("utf-8"))

    def test_every_export_says_so(self, open_world: World) -> None:
        for name, path in open_world.exports.items():
            about = json.loads(path.with_name(f"{name}.meta.json").read_text("utf-8"))
            assert about["min_audience"] == 0, name
            assert "makes every account a publisher" in about["note"], name
            if name.endswith(".parquet"):
                assert pq.read_schema(path).metadata[b"bastau.min_audience"] == b"0"
            if name.startswith("graph"):
                assert "makes every account a publisher" in path.read_text("utf-8")

    def test_with_a_threshold_no_export_says_so(self, world: World) -> None:
        for name, path in world.exports.items():
            about = json.loads(path.with_name(f"{name}.meta.json").read_text("utf-8"))
            assert (about["min_audience"], "note" in about) == (5000, False), name

    def test_the_trace_and_the_brief_say_so(self, open_world: World) -> None:
        trace = json.loads(open_world.bastau("trace", open_world.narrative_ids[0], "--json"))
        assert "all_publishers" in {unknown["code"] for unknown in trace["not_known"]}
        assert (
            json.loads(open_world.bastau("report", "--from", "2024-05-01", "--to", "2024-05-03", "--json"))[
                "min_audience"
            ]
            == 0
        )
        assert json.loads(open_world.bastau("status", "--json"))["min_audience"] == 0
