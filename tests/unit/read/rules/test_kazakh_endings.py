"""Kazakh endings as the rule files state them."""

from bastau.read.rules.inflect import endings_table


def test_the_instrumental_is_written_alike_after_every_vowel() -> None:
    table = endings_table({"plural": ["LAрмен", "LAрIмен"], "dative": ["LAрIнA"]})
    assert {"лармен", "лермен", "дарымен", "дерімен"} <= set(table)
    assert "ларіна" not in table
    assert "лерына" not in table
