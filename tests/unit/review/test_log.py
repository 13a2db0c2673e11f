import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from review_cases import (
    ALWAYS,
    LEFT,
    NOON,
    Desk,
    desk,
    desk_with_entry,
    opened,
    refused,
    released,
    subject,
    verdict,
    who,
)

from bastau.chain import Chain, digest
from bastau.errors import Refused
from bastau.review.acts import By, Ground, Reopened, as_line, read_line
from bastau.review.log import Book, advance, publish, read_published, record, verify, without_open

KEY = b"k" * 32


def written(lines: list[dict]) -> bytes:
    return b"".join(
        json.dumps(line, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() + b"\n" for line in lines
    )


def chained(lines: list[dict]) -> bytes:
    """The lines with numbers and hashes made anew, as a forger with the file would."""
    made, previous = [], "0" * 64
    for n, line in enumerate(lines, 1):
        entry = {**{k: v for k, v in line.items() if k != "hash"}, "n": n, "previous": previous}
        entry["hash"] = previous = digest(entry)
        made.append(entry)
    return written(made)


def everything() -> Desk:
    at = desk_with_entry()
    at.appeal()
    at.answer("dana", is_overturned=True)
    at.do(opened(subject(value="https://site.kz/2")))
    at.judge("aigul", verdict(reason="Бет оқырмандарын кісі өлтіруге шақырады."), rates=ALWAYS)
    at.judge("bolat", LEFT)
    at.convene("dana")
    for name, seat in (("erlan", "law"), ("farida", "religion"), ("gulnar", "sociology")):
        at.judge(name, seat=seat)
    at.release("dana", number=1)
    return at


LOG = everything()
RAW = written(LOG.lines)
HEAD = LOG.lines[-1]["hash"]


def codes(raw: bytes, head: str = "") -> list[tuple[str, int | None]]:
    return [(f.code, f.number) for f in verify(raw.splitlines(keepends=True), head)[0]]


def test_what_was_written_is_whole_and_says_what_the_desk_says() -> None:
    findings, book = verify(RAW.splitlines(keepends=True), HEAD)
    assert (findings, book) == ([], LOG.book)


def test_every_act_survives_writing_and_reading() -> None:
    for line in LOG.lines:
        n, _, act = read_line(line)
        assert (n, as_line(act)) == (
            line["n"],
            {k: v for k, v in line.items() if k not in ("n", "at", "previous", "hash")},
        )


class TestChanges:
    @given(at=st.integers(0, len(RAW) - 1), byte=st.integers(0, 255))
    @example(at=len(RAW) - 1, byte=0x20)
    def test_any_byte_changed_is_found(self, at: int, byte: int) -> None:
        raw = RAW[:at] + bytes([byte]) + RAW[at + 1 :]
        assert raw == RAW or codes(raw)

    @given(at=st.integers(0, len(RAW) - 1))
    @example(at=len(RAW) - 1)
    def test_any_byte_left_out_is_found(self, at: int) -> None:
        assert codes(RAW[:at] + RAW[at + 1 :])

    @given(at=st.integers(0, len(RAW)), byte=st.integers(0, 255))
    @example(at=len(RAW), byte=0x0A)
    @example(at=0, byte=0x20)
    def test_any_byte_put_in_is_found(self, at: int, byte: int) -> None:
        assert codes(RAW[:at] + bytes([byte]) + RAW[at:])

    @pytest.mark.parametrize("n", range(1, len(LOG.lines)))
    def test_any_act_taken_out_is_found_where_it_was(self, n: int) -> None:
        found = codes(written(LOG.lines[: n - 1] + LOG.lines[n:]))
        assert ("out_of_order", n + 1) in found

    def test_a_cut_end_is_found_by_a_head_noted_before(self) -> None:
        for n in range(len(LOG.lines)):
            raw = written(LOG.lines[:n])
            assert codes(raw) == []
            assert ("cut_off", n) in codes(raw, HEAD)

    @given(st.permutations(range(len(LOG.lines))))
    def test_any_other_order_is_found(self, order: list[int]) -> None:
        moved = [LOG.lines[n] for n in order]
        assert moved == LOG.lines or codes(written(moved))

    @pytest.mark.parametrize("n", range(1, len(LOG.lines)))
    def test_an_act_put_in_twice_is_found(self, n: int) -> None:
        assert codes(written([*LOG.lines[:n], LOG.lines[n - 1], *LOG.lines[n:]]))

    @given(st.data())
    def test_any_field_changed_and_hashed_anew_is_found_at_the_act(self, data: st.DataObject) -> None:
        n = data.draw(st.integers(0, len(LOG.lines) - 1))
        field = data.draw(st.sampled_from(sorted(set(LOG.lines[n]) - {"hash"})))
        changed = {**LOG.lines[n], field: "changed"}
        changed["hash"] = digest({k: v for k, v in changed.items() if k != "hash"})
        found = codes(written([*LOG.lines[:n], changed, *LOG.lines[n + 1 :]]), HEAD)
        assert found
        assert found[0][1] in (n + 1, n + 2, len(LOG.lines))


class TestUnfinished:
    @pytest.mark.parametrize("cut", [1, 30, len(written(LOG.lines[-1:])) - 1])
    def test_a_line_without_its_end_says_nothing_and_is_no_edit(self, cut: int) -> None:
        findings, book = verify(RAW[:-cut].splitlines(keepends=True))
        assert [(f.code, f.number) for f in findings] == [("unfinished", len(LOG.lines))]
        assert book == advance(Book(), LOG.lines[:-1])

    def test_a_head_in_it_was_never_written(self) -> None:
        assert ("cut_off", len(LOG.lines) - 1) in codes(RAW[:-1], HEAD)


class TestForgedActs:
    """The forger rewrites the whole chain: what the rules forbid still shows."""

    def edited(self, name: str, change: Callable[[dict], None]) -> list[tuple[str, int | None]]:
        lines = json.loads(json.dumps(LOG.lines))
        change(next(line for line in lines if line["act"] == name))
        return codes(chained(lines))

    def test_a_release_by_the_one_who_judged(self) -> None:
        assert ("forbidden", 3) in self.edited("released", lambda line: line.update(by=LOG.lines[1]["by"]))

    def test_a_release_for_longer(self) -> None:
        late = (NOON + timedelta(days=200)).isoformat()
        assert ("forbidden", 3) in self.edited("released", lambda line: line.update(expires_at=late))

    def test_a_person_as_subject(self) -> None:
        assert ("forbidden", 1) in self.edited("opened", lambda line: line["subject"].update(kind="person"))

    def test_a_field_that_no_act_has(self) -> None:
        assert ("forbidden", 2) in self.edited("judged", lambda line: line.update(note="between us"))

    def test_an_act_that_is_none(self) -> None:
        assert ("forbidden", 3) in self.edited("released", lambda line: line.update(act="published"))

    def test_an_answer_by_one_who_took_part(self) -> None:
        assert ("forbidden", 5) in self.edited("answered", lambda line: line.update(by=LOG.lines[2]["by"]))

    def test_numbers_beyond_all_measure_are_findings_and_no_crash(self) -> None:
        found = self.edited("opened", lambda line: line["suggestions"][0].update(score=10**400))
        assert ("forbidden", 1) in found

    def test_half_characters_and_odd_times_are_findings_and_no_crash(self) -> None:
        raw = RAW.replace(b"https://site.kz/call", b"https://site.kz/\\ud800", 1)
        assert ("forbidden", 1) in codes(raw)
        assert self.edited("released", lambda line: line.update(at="9999-12-31T00:00:00+00:00"))
        assert self.edited("opened", lambda line: line.update(at="2026-11-28T12:00:00"))


class TestWriting:
    def test_what_is_refused_is_not_written(self, tmp_path: Path) -> None:
        chain, book = Chain(tmp_path, "log.ndjson"), Book()
        book = record(chain, book, opened(), NOON)
        case = next(iter(book.cases.values()))
        with refused("not_decided"):
            record(chain, book, released(case, who("bolat"), NOON), NOON)
        assert len(list(chain.entries())) == 1
        assert advance(Book(), Chain(tmp_path, "log.ndjson").entries()) == book

    def test_an_account_stays_one_persons(self) -> None:
        at = desk_with_entry()
        with refused("two_persons"):
            at.do(opened(subject(value="https://site.kz/other"), by=By("aigul", "somebody", "analyst")))

    def test_acts_of_the_chain_are_about_no_case(self) -> None:
        assert read_line({"act": "stamped", "by": "https://tsa.example"}) is None


class TestPublishing:
    def test_who_did_what_can_still_be_followed(self) -> None:
        book = read_published(publish(LOG.lines, KEY))
        assert sorted(len(case.entries) for case in book.cases.values()) == [1, 1]

    def test_rules_are_held_against_it_too(self) -> None:
        lines = json.loads(json.dumps(publish(LOG.lines, KEY)))
        lines[2]["by"] = lines[1]["by"]
        with pytest.raises(Refused):
            read_published(lines)

    @pytest.mark.parametrize(("act", "changes"), [("convened", {"seats": []}), ("appealed", {"code_sha256": "кілт"})])
    def test_odd_ones_are_refused_and_crash_nothing(self, act: str, changes: dict) -> None:
        lines = json.loads(json.dumps(publish(LOG.lines, KEY)))
        next(line for line in lines if line["act"] == act).update(changes)
        with pytest.raises(Refused):
            read_published(lines)

    def test_no_name_address_word_or_hash_is_left(self) -> None:
        said = json.dumps(publish(LOG.lines, KEY), ensure_ascii=False)
        secret = [
            "reviewer",
            "aigul",
            "bolat",
            "dana",
            "erlan",
            "site.kz",
            "calls on its readers",
            "evidence:1",
            "a" * 64,
        ]
        secret += [line[name] for line in LOG.lines for name in ("hash", "case")]
        assert [word for word in secret if word in said] == []
        assert said != json.dumps(publish(LOG.lines, b"another key of 32 bytes, or less"), ensure_ascii=False)

    def test_a_ground_that_names_what_was_listed_says_only_law_or_policy(self) -> None:
        made = desk()
        made.judge("aigul", verdict(ground=Ground("law", "Ruling 2-1234 about site.kz")))
        made.release("bolat", ground_url="https://court.example/rulings/about-site.kz")
        published = publish(made.lines, KEY)
        assert "site.kz" not in json.dumps(published)
        assert published[1]["verdict"]["ground"] == {"kind": "law", "citation": ""}
        assert read_published(published).cases


class TestOpenQuestions:
    def test_opinions_on_an_open_question_are_left_out_until_it_is_decided(self) -> None:
        made = desk()
        made.judge("aigul", rates=ALWAYS)
        names = [line["act"] for line in without_open(made.lines)]
        assert names == ["opened"]
        made.judge("bolat", LEFT)
        made.convene("dana")
        assert [line["act"] for line in without_open(made.lines)] == ["opened"]
        for name, seat in (("eset", "law"), ("fariza", "religion"), ("galym", "sociology")):
            made.judge(name, seat=seat)
        assert without_open(made.lines) == made.lines

    def test_what_was_decided_before_stays_when_it_is_asked_again_at_the_same_moment(self) -> None:
        made = desk_with_entry()
        before = list(made.lines)
        made.do(Reopened(made.case, who("dana"), "renewal", ()), after=timedelta(0))
        made.judge("eset", rates=ALWAYS)
        assert [line["act"] for line in without_open(made.lines)] == [*(line["act"] for line in before), "reopened"]
        published = publish(without_open(made.lines), b"k" * 16)
        assert read_published(published).cases
