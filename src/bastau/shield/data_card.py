"""What a researchers' export says of itself: a data card for people, and the same for programs.

Reference: Gebru et al. 2021, CACM 64(12) (datasheets for datasets); MLCommons Croissant 1.0 and its RAI vocabulary 1.0.
"""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa

from bastau.shield.cells import K
from bastau.shield.research_tables import ATTRIBUTES, TABLES

if TYPE_CHECKING:
    from bastau.shield.research import Release

CARD, CROISSANT = "README.md", "croissant.json"

NOT_ALLOWED = (
    "finding out who a private account is, or trying to; joining this with other data so that persons can be told apart",
    "writing to, naming or publishing about private persons who can be found through a publisher's post",
    "scoring, ranking, profiling or deciding anything about a person, or training a model that does",
    "inferring a person's belief, ethnicity, health, opinions or likely behaviour",
    "blocking, banning or prosecuting on the ground of these data: nobody decided on what is listed here",
    "giving the data on but under these same terms",
)
PRIVACY = (
    "Publishers (outlets, websites, public channels and pages, and accounts at or above the audience threshold) are named. Private "
    f"accounts are not: of their posts there is one table of cells of {K} accounts or more, without words, addresses, ids and names."
)
BIASES = (
    "Only what the operator chose to watch or import is there. A publisher that is missing was not looked at; the earliest observed post "
    "is not the first there was; languages and copies are found by programs, with errors."
)


def data_card(
    release: "Release",
    about: Mapping[str, Any],
    rows: Mapping[str, int],
    shapes: Mapping[str, pa.Schema],
    facts: Mapping[str, Any],
) -> str:
    """Return the card as Markdown.

    Args:
        release: what the operator says.
        about: what stands inside each Parquet file.
        rows: rows by table.
        shapes: schema of each table.
        facts: `coverage`, `gaps`, `withheld`, `thresholds`, `first` and `last` (:mod:`bastau.shield.research`).
    """
    return "\n".join(
        [
            f"# {_plain(release.title)}\n",
            f"{_count(rows['posts'])} posts of publishers, {facts['first'] or 'none'} to {facts['last'] or 'none'}, with narratives, "
            f"groups that moved together and families of websites; {_count(rows['private_posts'])} posts of private accounts as cells. "
            f"Made by {about['tool']} on {about['exported_on']}.\n",
            *_motivation(release),
            *_composition(about, rows, facts),
            *_collection(facts),
            *_uses(),
            *_giving(release),
            *_columns(shapes),
        ]
    )


def _motivation(release: "Release") -> list[str]:
    return [
        "## Motivation\n",
        f"{_plain(release.purpose)}\n",
        f"Given out by: {_plain(release.publisher)}. Ground or approval: {_plain(release.ground) or 'none is stated'}.\n",
    ]


def _composition(about: Mapping[str, Any], rows: Mapping[str, int], facts: Mapping[str, Any]) -> list[str]:
    texts = (
        "Publishers' posts are in full, but the names of private persons in them."
        if about["texts"] == "publishers"
        else "Publishers' posts are without their words: fetch these from where they stand, as long as they stand there."
    )
    lines = [
        "## Composition\n",
        _table(
            ["file", "rows", "what a row is"],
            [[f"`{name}.parquet`", _count(n), TABLES[name][0]] for name, n in rows.items()],
        ),
        f"\n{PRIVACY} {texts}\n",
        "An account is a publisher from an audience of " + " or ".join(_count(n) for n in facts["thresholds"]) + " on.",
    ]
    if 0 in facts["thresholds"]:
        lines[-1] += " **0 makes every account a publisher: right only for simulated or already anonymised data.**"
    lines += [
        f"\n### Private accounts, and the rule of {K}\n",
        f"`private_posts` shows {', '.join(f'`{name}`' for name in ATTRIBUTES)} of each post and nothing else. Rows that read alike in these "
        f"are a cell, and every cell is of {K} accounts or more. Values held by fewer are withheld (null), and where what is withheld "
        f"would be of fewer than {K} accounts itself, the smallest value beside it is withheld too, so that no difference gives it away. "
        "Every count of private accounts in the other tables is a sum over whole cells; the number of authors is that of the largest "
        "cell, because the sum would count who is in several more than once and their difference would be of a few persons. Only "
        f"`n_other_accounts` of a group is counted by itself, from {K} accounts on; no account is in two groups.",
        f"\n`author` tells accounts apart inside a cell only. What was deleted where it stood is left out. Fewer than {K} private accounts "
        "in all: the table is empty. Accounts are counted so that one whose pseudonym changed is never taken for two.",
        "\nNo column says where a person lives, how old or of which sex they are: bastau does not know and does not guess. "
        f"A column of that kind would go through the same rule of {K}.\n",
    ]
    if rows["private_posts"]:
        lines += [
            "Withheld, of all rows of `private_posts`:\n",
            _table(
                ["column", "share"],
                [[f"`{name}`", f"{100 * n / rows['private_posts']:.1f} %"] for name, n in facts["withheld"].items()],
            )
            + "\n",
        ]
    return lines


def _collection(facts: Mapping[str, Any]) -> list[str]:
    lines = [
        "## Collection\n",
        "Public posts only: from the places that the operator watches, and from files that others collected and the operator imported. "
        "No private groups, messages or false identities. Authors below the threshold were replaced by keyed pseudonyms before anything was "
        "stored; the keys of the home folder are replaced every 30 days at the latest, and none of them is used here.\n",
        f"{BIASES}\n",
        "### Coverage: posts of publishers\n",
        _table(
            ["month", "platform", "posts", "publishers"],
            [[m, p, _count(n), _count(s)] for m, p, n, s in facts["coverage"]],
        )
        if facts["coverage"]
        else "None.",
        "\n### Known gaps\n",
    ]
    if facts["gaps"]:
        lines.append("Times in which posts of watched places may have been missed, summed over places:\n")
        lines.append(_table(["reason", "gaps", "hours"], [[r, _count(n), f"{h:,.0f}"] for r, n, h in facts["gaps"]]))
    else:
        lines.append("None was recorded; files that were imported record none.")
    return lines


def _uses() -> list[str]:
    return [
        "\n## Uses\n",
        "Made for: how narratives begin, spread and change; who repeats whom among publishers; coordination and its limits; coverage by "
        "language and platform. Coordination says nothing of intent, a narrative nothing of truth, `earliest observed` nothing of who "
        "made something up.\n",
        "Not allowed:\n",
        *(f"- {use};" for use in NOT_ALLOWED[:-1]),
        f"- {NOT_ALLOWED[-1]}.\n",
        "What no technique prevents: a publisher's post can be opened where it stands, with all that stands there. Two exports of one home "
        "folder, of which one was made later, can be subtracted: take one export of a finished period rather than a new one each week.\n",
    ]


def _giving(release: "Release") -> list[str]:
    return [
        "## Distribution and upkeep\n",
        f"Licence: {_plain(release.licence)}. The words of posts stay those of their authors. Contact, also for objections of those "
        f"whom the data are about: {_plain(release.contact)}.\n",
        f"`sha256sum -c SHA256SUMS` verifies the files. `{CROISSANT}` says the same to programs (Croissant 1.0).\n",
        "When the operator tells you that posts were removed, remove them too.\n",
    ]


def _columns(shapes: Mapping[str, pa.Schema]) -> list[str]:
    lines = ["## Columns\n"]
    for name, schema in shapes.items():
        rows = [[f"`{field.name}`", f"`{field.type}`", TABLES[name][1][field.name]] for field in schema]
        lines.append(f"### {name}\n\n{_table(['column', 'type', 'meaning'], rows)}\n")
    return lines


def croissant(
    release: "Release",
    about: Mapping[str, Any],
    shapes: Mapping[str, pa.Schema],
    sums: Mapping[str, str],
    sizes: Mapping[str, int],
) -> str:
    """Return the metadata as JSON-LD; ``sums`` and ``sizes`` are those of the Parquet files by name."""
    files = [
        {
            "@type": "cr:FileObject",
            "@id": name,
            "name": name,
            "contentUrl": name,
            "contentSize": f"{sizes[name]} B",
            "encodingFormat": "application/x-parquet",
            "sha256": sums[name],
        }
        for name in sums
    ]
    known = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": ["http://mlcommons.org/croissant/1.0", "http://mlcommons.org/croissant/RAI/1.0"],
        "name": re.sub(r"\W+", "-", release.title).strip("-"),
        "description": f"{release.title}. {release.purpose} {PRIVACY}",
        "license": release.licence,
        "url": f"urn:sha256:{sums['posts.parquet']}",
        "citeAs": f"{release.publisher}: {release.title}, {about['exported_on']}, made by {about['tool']}",
        "version": "1.0.0",
        "datePublished": about["exported_on"],
        "creator": {"@type": "sc:Organization", "name": release.publisher},
        "publisher": {"@type": "sc:Organization", "name": release.publisher},
        "usageInfo": f"Not allowed: {'; '.join(NOT_ALLOWED)}. Contact: {release.contact}",
        "rai:dataCollection": "Public posts of watched places and imported files; private authors pseudonymised before storage.",
        "rai:personalSensitiveInformation": PRIVACY,
        "rai:dataBiases": BIASES,
        "rai:dataUseCases": "How narratives begin, spread and change; coordination among publishers.",
        "distribution": files,
        "recordSet": [_record_set(name, schema) for name, schema in shapes.items()],
    }
    return orjson.dumps(known, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()


def _record_set(name: str, schema: pa.Schema) -> dict[str, Any]:
    description, columns = TABLES[name]
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "description": description,
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"{name}/{field.name}",
                "name": field.name,
                "description": columns[field.name],
                "dataType": _data_type(field.type),
                **({"repeated": True} if pa.types.is_list(field.type) else {}),
                "source": {"fileObject": {"@id": f"{name}.parquet"}, "extract": {"column": field.name}},
            }
            for field in schema
        ],
    }


def _data_type(kind: pa.DataType) -> str:
    if pa.types.is_list(kind):
        kind = kind.value_type
    if pa.types.is_timestamp(kind):
        return "sc:DateTime"
    if pa.types.is_boolean(kind):
        return "sc:Boolean"
    if pa.types.is_floating(kind):
        return "sc:Float"
    return "sc:Integer" if pa.types.is_integer(kind) else "sc:Text"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |" for line in lines)


def _plain(said: str) -> str:
    """Return the operator's words as one line that starts no Markdown of its own."""
    return re.sub(r"([\\`*_\[\]<>#|])", r"\\\1", " ".join(said.split()))


def _count(n: int) -> str:
    return f"{n:,}"


_CONTEXT: Mapping[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
"""The context that the standard asks for, word for word."""
