"""Posts in, matches out: the fast look, the disguised texts written out, the slow look at what is left."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bastau.read.fold import fold_strings
from bastau.read.language import DetectLanguage
from bastau.read.rules.documents import RuleFile
from bastau.read.rules.frames import Match, Reading
from bastau.read.rules.hiding import Hiding
from bastau.read.rules.kept import kept
from bastau.read.rules.loading import load, rule_files, rules_folder
from bastau.read.rules.pack import Pack, Rule
from bastau.read.rules.screen import Screen
from bastau.read.rules.tokens import Form
from bastau.read.unmask import match_form
from bastau.read.unmask_scan import needs_unmasking


@dataclass
class Finder:
    """A pack with its fast look."""

    pack: Pack
    screen: Screen = field(init=False)
    hiding: Hiding = field(init=False, repr=False)
    _number_of: dict[str, int] = field(init=False, repr=False)
    """Rule id: its number in the pack."""

    def __post_init__(self) -> None:
        self._number_of = {rule.id: k for k, rule in enumerate(self.pack.rules)}
        self.screen = Screen(self.pack)
        self.hiding = Hiding(self.pack.known, self.screen.touches)

    def find(
        self,
        titles: pa.Array | pa.ChunkedArray,
        texts: pa.Array | pa.ChunkedArray,
        folded: pa.Array | pa.ChunkedArray,
        rules: list[Rule],
        foreign: np.ndarray | None = None,
    ) -> dict[int, list[Match]]:
        """Return the matches of ``rules`` by row, of the rows that have any.

        Args:
            foreign: bool (n,): rows whose Kazakh is written in Latin or Arabic letters.
        """
        may_match = self.screen.look(folded, titles, texts)
        numbers = self._numbers_of(rules)
        hidden = self._hidden(titles, texts, folded)
        if foreign is not None:
            hidden |= foreign
        rows = np.flatnonzero(may_match[:, numbers].any(axis=1) | hidden)
        chosen = pa.table({"title": titles, "text": texts}).take(pa.array(rows)).to_pylist()
        found = {}
        for row, post in zip(rows.tolist(), chosen, strict=True):
            form, asked = None, may_match[row]
            if hidden[row]:
                form, asked = self._written_out(post, "kk" if foreign is not None and foreign[row] else None)
            chosen_rules = [rules[k] for k in np.flatnonzero(asked[numbers])]
            if chosen_rules:
                matches = self.read(post["title"], post["text"], form).matches(chosen_rules)
                if matches:
                    found[row] = matches
        return found

    def _numbers_of(self, rules: list[Rule]) -> np.ndarray:
        return np.array([self._number_of[rule.id] for rule in rules], np.int64)

    def _hidden(
        self, titles: pa.Array | pa.ChunkedArray, texts: pa.Array | pa.ChunkedArray, folded: pa.Array | pa.ChunkedArray
    ) -> np.ndarray:
        """Return bool (n,): rows where a word of the rules may stand disguised, and the rest of a frame in plain sight."""
        masked = needs_unmasking(texts) | needs_unmasking(titles)
        masked = self.hiding.find(texts, masked) | self.hiding.find(titles, masked)
        return self.screen.run_disguised(folded, masked)

    def _written_out(self, post: dict[str, str | None], language: str | None) -> tuple[Form, np.ndarray]:
        """Return the form of title and text, made once, and the rules that may match it."""
        form = self.form(language)
        made = {part: form(part) for part in (post["title"], post["text"]) if part}
        together = " ".join(words for words, _ in made.values())
        return made.__getitem__, self.screen.rules_of(pa.array([together]))[0]

    def form(self, language: str | None = None) -> Form:
        """Return the form in which disguised words are matched."""
        return partial(match_form, language=language, known=self.pack.known)

    def read(self, title: str | None, text: str | None, form: Form | None = None) -> Reading:
        """Return one post, tagged."""
        return Reading(self.pack, title, text, form) if form else Reading(self.pack, title, text)

    def stance_of(self, title: str | None, text: str | None) -> str | None:
        """Return the gates, comma-joined, whose cues the whole post has: for content that equals a list entry."""
        return ",".join(self.read(title, text).stances()) or None

    def find_in(self, texts: Sequence[str], rules: list[Rule]) -> list[list[Match]]:
        """Return the matches of ``rules`` in each of some texts without titles."""
        column = pa.array(texts, pa.string())
        posts = pa.table(
            {"title": pa.nulls(len(texts), pa.string()), "text": column, "folded": fold_strings(column)[0]}
        )
        posts = DetectLanguage().run(posts)
        folded = posts.column("folded")
        found = self.find(posts.column("title"), posts.column("text"), folded, rules, foreign_kazakh(posts))
        return [found.get(i, []) for i in range(len(texts))]


def foreign_kazakh(posts: pa.Table) -> np.ndarray:
    """Return bool (n,): Kazakh in Latin or Arabic letters, from ``detected_language`` and ``script``."""
    is_kazakh = pc.match_substring_regex(posts.column("detected_language"), r"(^|\|)kk($|[|-])")
    elsewhere = pc.is_in(posts.column("script"), pa.array(["Latn", "Arab"]))
    return np.asarray(pc.fill_null(pc.and_(is_kazakh, elsewhere), False))


@lru_cache(maxsize=4)
def finder(own: tuple[RuleFile, ...] = ()) -> Finder:
    """Return the shipped rules with an operator's ``own`` files, compiled once a process.

    Whoever takes rules from outside locks them first: :func:`bastau.read.rules.suite.refuse_breaches`.

    Raises:
        RulesError: with every problem found.
    """
    files = (*rule_files([rules_folder()]), *own)
    return kept(files, lambda: Finder(load(files)))
