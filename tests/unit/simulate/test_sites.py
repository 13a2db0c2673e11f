from itertools import combinations

import orjson
import pyarrow as pa
import pytest

from bastau.errors import ConfigError
from bastau.evaluate.families import score_families
from bastau.schemas import PAGES
from bastau.simulate.sites import LEVELS, Level, generate_sites, write_sites
from bastau.sources.families import FindPageSignals, count_signals, find_families

DEVELOPMENT_SEED = 3


def found(level: Level, seed: int) -> tuple[list[dict[str, object]], object]:
    simulation = generate_sites(level, seed)
    rows = [{**p, "fetched_at": _time(p["fetched_at"]), "whois_created": _time(p["whois_created"]),
             "headers": orjson.dumps(p["headers"]).decode()} for p in simulation.pages]  # fmt: skip
    table = pa.table({f.name: pa.array([row.get(f.name) for row in rows], f.type) for f in PAGES}, schema=PAGES)
    families = find_families(count_signals(FindPageSignals().run(table))).families.to_pylist()
    return families, simulation


def _time(text: str) -> object:
    from datetime import datetime

    return datetime.fromisoformat(text.replace("Z", "+00:00"))


@pytest.mark.parametrize("level", LEVELS)
def test_the_same_seed_gives_the_same_pages_and_another_others(level: Level) -> None:
    first, again, other = generate_sites(level, 5), generate_sites(level, 5), generate_sites(level, 6)
    assert (first.pages, first.families, first.traps) == (again.pages, again.families, again.traps)
    assert first.pages != other.pages


@pytest.mark.parametrize("level", LEVELS)
def test_families_are_found_and_no_trap_is_linked(level: Level) -> None:
    families, simulation = found(level, DEVELOPMENT_SEED)
    figures = score_families(families, simulation.families, simulation.traps, simulation.unjudged)
    assert figures.pair_precision >= 0.99
    assert figures.pair_recall >= 0.80
    assert sum(figures.trap_links.values()) == 0


def test_traps_hold_no_pair_of_a_true_family_but_through_their_victims() -> None:
    simulation = generate_sites("medium", 4)
    true = {pair for sites in simulation.families.values() for pair in combinations(sites, 2)}
    for name in ("agency", "theme", "network", "platform", "parked", "wire widget", "syndicated ads.txt", "mirror"):
        assert not true & set(combinations(sorted(simulation.traps[name]), 2)), name


def test_domains_of_posts_take_part() -> None:
    known = [f"outlet{i}.example" for i in range(6)]
    simulation = generate_sites("easy", 1, known=known)
    assert simulation.families["family-0"] == known[:4]
    assert set(known) <= {page["domain"] for page in simulation.pages}


def test_the_truth_joins_what_is_there(tmp_path: object) -> None:
    folder = tmp_path / "sample"
    folder.mkdir()
    (folder / "truth.json").write_text('{"seed": 1, "groups": {}}')
    simulation = generate_sites("easy", 1)
    write_sites(simulation, folder)
    truth = orjson.loads((folder / "truth.json").read_bytes())
    assert {"seed", "groups", "families", "traps", "unjudged"} == set(truth)
    assert len((folder / "pages.ndjson").read_text().splitlines()) == len(simulation.pages)


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(ConfigError, match="no level"):
        generate_sites("absurd")
