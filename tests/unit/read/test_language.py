import pyarrow as pa
import pytest

from bastau.read.fold import Fold
from bastau.read.language import MAX_CHARS, DetectLanguage

TITLE_AND_TEXT = pa.schema([("title", pa.string()), ("text", pa.string())])


def detect(*texts: str, **settings: float) -> list[tuple[str, float, str]]:
    posts = pa.table({"title": pa.nulls(len(texts), pa.string()), "text": list(texts)})
    rows = DetectLanguage(**settings).run(Fold().run(posts)).select(DetectLanguage.adds.names).to_pylist()
    return [(row["detected_language"], row["language_score"], row["script"]) for row in rows]


@pytest.mark.parametrize(
    ("text", "language", "script"),
    [
        ("Кітапханаға жаңадан түскен оқулықтарды балалар қуана қарсы алды", "kk", "Cyrl"),
        ("Кинотеатрга барганга убактым болбоду, кийинки жумада көрөбүз", "ky", "Cyrl"),
        ("Яшь артистлар концертта матур җырлар башкарды", "tt", "Cyrl"),
        ("Йәш артистар концертта матур йырҙар башҡарҙы", "ba", "Cyrl"),
        ("Библиотека закрыта на ремонт до конца месяца", "ru", "Cyrl"),
        ("Бібліотека зачинена на ремонт до кінця місяця", "uk", "Cyrl"),
        ("Бібліятэка зачынена на рамонт да канца месяца", "be", "Cyrl"),
        ("Кутубхона таъмирлаш учун ой охиригача ёпилди", "uz", "Cyrl"),
        ("Kutubxona taʼmirlash uchun oy oxirigacha yopildi", "uz", "Latn"),
        ("Kitabxana təmir üçün ayın sonuna kimi bağlanıb", "az", "Latn"),
        ("Kütüphane onarım nedeniyle ay sonuna kadar kapalı", "tr", "Latn"),
        ("Kitaphanağa jañadan tüsken oqulyqtardy balalar quana qarsy aldy", "kk", "Latn"),
        ("balalar zhana mektepke kuanyp kirdi, mugalimder karsy aldy", "kk", "Latn"),
        ("بالالار جاڭا مەكتەپكە قۋانىپ كىردى", "kk", "Arab"),
        ("The library is closed for repairs until the end of the month", "en", "Latn"),
        ("Die Bibliothek ist wegen Umbau bis Ende des Monats geschlossen", "de", "Latn"),
        ("La bibliothèque est fermée pour travaux jusqu'à la fin du mois", "fr", "Latn"),
        ("المكتبة مغلقة للصيانة حتى نهاية الشهر", "ar", "Arab"),
        ("کتابخانه برای تعمیر تا پایان ماه بسته است", "fa", "Arab"),
        ("كۈتۈپخانا ئاينىڭ ئاخىرىغىچە تاقالدى", "ug", "Arab"),
        ("图书馆因为维修关门到月底，我们这个月不来了", "zh", "Hans"),
        ("圖書館因為維修關門到月底，我們這個月不來了", "zh", "Hant"),
        ("図書館は修理のため月末まで休みです", "ja", "Jpan"),
        ("도서관은 수리 때문에 월말까지 닫습니다", "ko", "Kore"),
    ],
)
def test_sentences_that_no_sample_holds(text: str, language: str, script: str) -> None:
    tag, score, found = detect(text)[0]
    assert (tag, found) == (language, script)
    assert 0.5 <= score <= 1


def test_kazakh_typed_without_its_own_letters_is_still_kazakh() -> None:
    assert detect("Бугин калада жана мектеп ашылды, балалар куанып жатыр деп айтты")[0][0] == "kk"


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("salem kalaysyn ne istep jatyrsyn", "kk"),
        ("qalaysin bauyrym ne jagdai", "kk"),
        ("bugin sabak bolmaidy ma", "kk"),
        ("салем калайсын не истеп жатсын", "kk"),
        ("рахмет бауырым, аман бол", "kk"),
        ("Qazaqstan Respublikasynyñ Prezidenti", "kk"),
        ("Qazaqstan Respýblıkasynyń Prezıdenti", "kk"),
        ("Qazaqstan Respy'bli'kasyny'n' Prezi'denti", "kk"),
        ("privet kak dela chto delaesh", "ru"),
        ("selam nasılsın bugün ne yapıyorsun", "tr"),
        ("#алматы #қазақстан", "kk"),
    ],
)
def test_chat_as_people_type_it(text: str, language: str) -> None:
    assert detect(text)[0][0] == language


@pytest.mark.parametrize(("text", "script"), [("", "Zyyy"), ("2024 😀 !!", "Zyyy"), ("ок", "Cyrl"), ("xz", "Latn")])
def test_too_little_to_tell_stays_undetermined(text: str, script: str) -> None:
    assert detect(text)[0] == ("und", 0.0, script)


def test_letter_salad_is_no_language() -> None:
    assert [tag for tag, *_ in detect("gfdkj wqzpt xkcd vbnmq", "щзкфъ ждлщх цукшщ")] == ["und", "und"]


def test_two_close_leaders_are_both_named() -> None:
    tag, score, _ = detect("бар", min_margin=1.0, min_score=0.0)[0]
    assert "|" in tag
    assert list(tag.split("|")) == sorted(tag.split("|"))
    assert 0 < score <= 1


def test_a_weak_guess_stays_undetermined_but_keeps_its_score() -> None:
    weak, strong = (detect("жаңа мектеп", min_score=m, min_margin=0.0)[0] for m in (1.1, 0.0))
    assert weak[0] == "und"
    assert strong[0] != "und"
    assert weak[1] == strong[1] > 0


def test_links_handles_and_other_scripts_do_not_decide() -> None:
    text = "Бүгін қалада жаңа мектеп ашылды https://example.com/the-new-school-in-the-city @the_city_news"
    assert detect(text)[0][::2] == ("kk", "Cyrl")


def test_only_the_beginning_of_a_long_post_is_read() -> None:
    kazakh, russian = "бүгін жаңа мектеп ашылды ", "сегодня в городе открыли школу "
    assert detect(kazakh * (MAX_CHARS // 20) + russian * 500)[0][0] == "kk"


def spans(text: str) -> list[tuple[str, str]] | None:
    posts = DetectLanguage().run(Fold().run(pa.table({"title": [None], "text": [text]}).cast(TITLE_AND_TEXT)))
    row = posts.select(["folded", "language_spans"]).to_pylist()[0]
    found = row["language_spans"]
    return found and [(span["language"], row["folded"][span["start"] : span["end"]]) for span in found]


def test_a_post_in_two_languages_is_cut_where_they_meet() -> None:
    kazakh = "Құрметті тұрғындар, ертең су болмайды, алдын ала дайындалып қойыңыздар"
    russian = "уважаемые жители, завтра не будет воды, просим запастись заранее"
    found = spans(f"{kazakh}. {russian}.")
    assert found is not None
    assert [language for language, _ in found] == ["kk", "ru"]
    assert found[0][1].endswith("қойыңыздар")
    assert found[1][1].startswith("уважаемые")


def test_stretches_in_two_scripts_are_found_too() -> None:
    found = spans("Завтра в нашем городе открывается новая школа, join us at the opening of the new school tomorrow")
    assert found is not None
    assert [language for language, _ in found] == ["ru", "en"]


@pytest.mark.parametrize(
    "text",
    [
        "Бүгін қалада жаңа мектеп ашылды, балалар қуанып жатыр деп айтты директор",
        "Бүгін Instagram желісінде жаңа video жарияланды, оны мыңдаған адам көрді",
        "Сегодня в городе открыли школу Назарбаева, сообщили Қазақстан хабарлары в эфире",
        "",
    ],
)
def test_one_language_with_a_name_or_two_of_another_has_no_spans(text: str) -> None:
    assert spans(text) is None


def test_spans_are_told_apart_from_text_that_holds_none_in_one_table() -> None:
    one = "Бүгін қалада жаңа мектеп ашылды"
    two = f"{one}, оған көп адам келді, а завтра в городе откроют новую больницу и детский сад"
    posts = pa.table({"title": pa.nulls(3, pa.string()), "text": [one, two, None]})
    column = DetectLanguage().run(Fold().run(posts)).column("language_spans")
    assert [value is None for value in column.to_pylist()] == [True, False, True]
