"""What the shipped gates and moods make of texts that differ in stance only."""

import pytest

from bastau.read.rules.finding import finder

CALLS = {
    "who announces it does not study it": "Гипотеза простая: если не уступите, мы убьём судью.",
    "a rejection in another clause is of something else": "Каждый обязан убивать отступников, не верьте мягким муллам.",
    "named believers are no figure of speech": "Kill every Shia in the stadium.",
    "a command is no joke because of lol": "shoot every migrant that gets off that boat lol",
    "an offer may begin with a question": "Хочешь взрывать? Научу, урок бесплатно, пишите мне.",
}
LEFT_ALONE = {
    "a need in jest": "Шутка дня: надо расстрелять всех, кто ест пиццу с ананасами.",
    "a participle after a form of to be": "И был тот народ истребляем до последнего.",
    "the older negation behind the verb": "Slay not the unbelievers.",
    "work is no attack": "Работайте в банке с лучшими людьми страны.",
    "a thing called by a person's word": "Чёрные дыры когда-нибудь сгорят, и мы увидим свет.",
    "scripture in the sentence before": "A trembling came upon the hosts of those who disbelieve. Then smite the necks of them.",
    "talk of gun laws": "Our politicians must act tonight, take the guns, gun control now.",
    "peace instead of arms, in that order": "Хватит обрезов, берём плакаты.",
}


def is_flagged(text: str) -> bool:
    use = finder(())
    (found,) = use.find_in([text], [rule for rule in use.pack.rules if rule.is_live])
    return any(not match.gates for match in found)


@pytest.mark.parametrize("text", CALLS.values(), ids=CALLS)
def test_a_call_is_found(text: str) -> None:
    assert is_flagged(text)


@pytest.mark.parametrize("text", LEFT_ALONE.values(), ids=LEFT_ALONE)
def test_a_harmless_text_is_left_alone(text: str) -> None:
    assert not is_flagged(text)
