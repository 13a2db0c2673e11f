"""`bastau check`, `rules`, `lists`, `hash` and `train` as one types them."""

import io
import json
from pathlib import Path

import pytest

from bastau.cli import main

CALL = "Братья, убивайте неверных, где бы они ни были!"
NEWS = "Суд приговорил автора поста «Убивайте неверных, где бы они ни были» к трём годам."


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BASTAU_HOME", raising=False)
    return tmp_path


def said(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert main(arguments) == code
    out = capsys.readouterr()
    return out.out or out.err


def _posts(folder: Path) -> Path:
    path = folder / "posts.ndjson"
    row = {
        "post_id": "web:a",
        "platform": "web",
        "source": "a.example",
        "published_at": "2026-05-01T00:00:00Z",
        "text": "бір",
    }
    path.write_text(json.dumps(row), "utf-8")
    return path


class TestCheck:
    def test_one_text_needs_no_home_folder(self, capsys: pytest.CaptureFixture[str], folder: Path) -> None:
        answer = json.loads(said(capsys, "check", CALL, "--json"))
        assert set(answer) >= {"id", "flagged", "suggestions", "known", "claims"}
        assert answer["flagged"]
        assert set(answer["suggestions"][0]) == {"act", "rule", "version", "spans", "gate", "score"}
        assert list(folder.iterdir()) == []

    def test_words_are_shown_and_people_decide(self, capsys: pytest.CaptureFixture[str]) -> None:
        text = said(capsys, "check", CALL)
        assert "call: убивайте" in text
        assert "people decide" in text
        assert "nothing that a reviewer must look at" in said(capsys, "check", NEWS)

    def test_standard_input_is_read(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO(CALL))
        assert json.loads(said(capsys, "check", "-", "--json"))["flagged"]

    @pytest.mark.parametrize("packing", ["ndjson", "csv"])
    def test_a_file_gives_one_answer_a_row_in_order(
        self, packing: str, capsysbinary: pytest.CaptureFixture[bytes], folder: Path
    ) -> None:
        rows = [("a", CALL), ("b", NEWS), ("c", "Ауа райы жақсы болады.")]
        if packing == "csv":
            content = "id,text\n" + "".join(f'{id_},"{text}"\n' for id_, text in rows)
        else:
            content = "".join(json.dumps({"id": id_, "text": text}) + "\n" for id_, text in rows)
        path = folder / f"texts.{packing}"
        path.write_text(content, "utf-8")
        assert main(["check", "--file", str(path), "-o", "answers.ndjson"]) == 0
        answers = [json.loads(line) for line in (folder / "answers.ndjson").read_text("utf-8").splitlines()]
        assert [(a["id"], a["flagged"]) for a in answers] == [("a", True), ("b", False), ("c", False)]
        assert answers[1]["suggestions"][0]["gate"]
        assert b"1 for a reviewer" in capsysbinary.readouterr().err
        assert main(["check", "--file", str(path), "--json"]) == 0
        assert [json.loads(line) for line in capsysbinary.readouterr().out.splitlines()] == answers

    def test_a_bad_row_is_said_with_its_line_and_the_rest_goes_on(
        self, capsys: pytest.CaptureFixture[str], folder: Path
    ) -> None:
        path = folder / "texts.ndjson"
        path.write_text('{"id": "a", "text": "бір"}\n{"id": \n{"id": "c", "media": "x"}\n{"id": "d"}\n', "utf-8")
        assert main(["check", "--file", str(path), "-o", "answers.ndjson"]) == 0
        err = capsys.readouterr().err
        for words in ("line 2: not valid JSON", "line 3: media: not valid JSON", "line 4: text: missing"):
            assert words in err
        assert len((folder / "answers.ndjson").read_text("utf-8").splitlines()) == 4

    @pytest.mark.parametrize(
        ("arguments", "words"),
        [
            (("check",), "give one TEXT"),
            (("check", "a", "--file", "b"), "give one TEXT"),
            (("check", " "), "the text is empty"),
            (("check", "--file", "none.csv"), "none.csv"),
            (("rules", "explain"), "give one TEXT"),
            (("rules", "check", "none.yaml"), "none.yaml"),
            (("evaluate", "rules"), "--file"),
            (("lists", "export", "x"), "no such home folder"),
            (("hash", "none.jpg"), "none.jpg"),
            (("train", "model", "none.csv", "-o", "m", "--licence", "own"), "none.csv"),
        ],
    )
    def test_mistakes_are_said_with_what_to_do(
        self, arguments: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(arguments) == 2
        assert words in capsys.readouterr().err


class TestRules:
    def test_the_shipped_rules_load_and_pass_their_texts_and_the_suite(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert json.loads(said(capsys, "rules", "check", "--json"))["live"] > 10
        answer = json.loads(said(capsys, "rules", "test", "--json"))
        assert answer["failed"] == []
        assert answer["suite_texts"] >= 2400
        assert answer["breaches"] == []

    def test_explain_says_which_gate_held_a_text_back(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert "quotation" in said(capsys, "rules", "explain", NEWS)

    def test_a_mistake_in_a_rule_file_is_said_with_its_line(
        self, capsys: pytest.CaptureFixture[str], folder: Path
    ) -> None:
        (folder / "own.yaml").write_text("rules:\n  - id: x\n    verison: 1\n", "utf-8")
        assert "own.yaml:3" in said(capsys, "rules", "check", "own.yaml", code=2)


class TestLists:
    def test_a_list_is_added_shown_matched_exported_and_removed(
        self, capsys: pytest.CaptureFixture[str], folder: Path
    ) -> None:
        (folder / "bad.txt").write_text("https://listed.example/clip\nnot an entry\n", "utf-8")
        said(capsys, "lists", "add", "bad.txt", "--name", "clips", "--ground", "policy of the test")
        assert "clips" in said(capsys, "lists")
        (folder / "texts.ndjson").write_text(
            '{"id": "a", "url": "http://www.listed.example/clip?utm_source=x"}\n', "utf-8"
        )
        said(capsys, "check", "--file", "texts.ndjson", "-o", "answers.ndjson")
        answer = json.loads((folder / "answers.ndjson").read_text("utf-8"))
        assert answer["flagged"]
        assert answer["known"][0]["list"] == "clips"
        said(capsys, "lists", "export", "clips", "-o", "out.csv")
        assert "listed.example/clip" in (folder / "out.csv").read_text("utf-8")
        said(capsys, "lists", "remove", "clips")
        assert "no lists yet" in said(capsys, "lists")

    def test_a_list_without_a_ground_is_refused(self, capsys: pytest.CaptureFixture[str], folder: Path) -> None:
        (folder / "bad.txt").write_text("https://listed.example/clip\n", "utf-8")
        assert "--ground" in said(capsys, "lists", "add", "bad.txt", "--name", "clips", code=2)

    def test_a_file_is_hashed(self, capsys: pytest.CaptureFixture[str], folder: Path) -> None:
        (folder / "clip.bin").write_bytes(b"abc")
        assert "ba7816bf8f01cfea" in said(capsys, "hash", "clip.bin")


class TestTrain:
    def test_a_model_of_ones_own_has_a_card_and_orders_what_was_found(
        self, capsys: pytest.CaptureFixture[str], folder: Path
    ) -> None:
        rows = [("flag", f"мұздатқыш {i} сатылады арзан баға") for i in range(60)]
        rows += [("other", f"ауа райы {i} күні жаңбырлы болады") for i in range(60)]
        content = "text,label\n" + "".join(f"{text} {i * i},{label}\n" for i, (label, text) in enumerate(rows))
        (folder / "labelled.csv").write_text(content, "utf-8")
        out = said(capsys, "train", "model", "labelled.csv", "-o", "ads.model", "--licence", "own")
        assert "unseen texts" in out
        card = json.loads(
            said(capsys, "train", "model", "labelled.csv", "-o", "ads.model", "--licence", "own", "--json")
        )
        assert "own" in json.dumps(card)
        said(capsys, "import", str(_posts(folder)))
        (folder / "bastau-home" / "bastau.toml").write_text(f"[models]\nlinear = '{folder / 'ads.model'}'\n", "utf-8")
        answer = json.loads(said(capsys, "check", f"{CALL} Ауа райы жаңбырлы болады.", "--json"))
        assert answer["flagged"]
        assert answer.get("model_score") is None or 0 <= answer["model_score"] <= 1
        assert "Model card" in (folder / "ads.model.md").read_text("utf-8")
        assert (folder / "ads.model").exists()
