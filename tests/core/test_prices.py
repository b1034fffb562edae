"""Whether a lower price is as low as the client wanted it: only where both sums are plainly stated."""

import pytest

from agent.prices import Sum, comes_down, total

ASKED = Sum(50_000.0, "EUR")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Our offer is attached: £45,000 in total.", Sum(45_000.0, "GBP")),
        ("Our price is EUR 50,000.00 net.", Sum(50_000.0, "EUR")),
        ("The kiln is 40,000 EUR, the car 10,000 EUR, total 50,000 EUR.", Sum(50_000.0, "EUR")),
        ("Кран 40 000 евро, рельсы 10 000 евро, итого 50 000 евро.", Sum(50_000.0, "EUR")),
        ("Стоимость 1,5 млн руб.", Sum(1_500_000.0, "RUB")),
        ("44 EUR a brick, 50,000 EUR for all of them", None),
        ("The kiln is 40,000 EUR, the car 10,000 EUR.", None),
        ("The offer is for 120 bricks.", None),
        ("€", None),
        ("", None),
    ],
)
def test_what_a_letter_asks_for_the_whole(text: str, expected: Sum | None) -> None:
    assert total(text) == expected


@pytest.mark.parametrize(
    ("condition", "ours", "met"),
    [
        ("Bring it down by a tenth", "We have brought it down to 45,000 EUR.", True),
        ("at 10 % off", "The new price is 44,900 euros.", True),
        ("at 10 % off", "The new price is 45,100 euros.", False),
        ("at 10 % off", "The new price is 45,000 dollars.", False),
        ("at 10 % off", "The delivery is 900 euros now.", False),
        ("10 % off the installation", "The new price is 44,900 euros.", False),
        ("10 % off and 60 days", "The new price is 44,900 euros.", False),
        ("на десять процентов дешевле", "Новая цена 45 000 евро.", True),
        ("на десять процентов дешевле", "Новая цена 46 000 евро.", False),
        ("come down to 45,000", "We can take 10 % off the price.", True),
        ("come down to 45,000", "We can take 5 % off the price.", False),
        ("come down to 45,000", "10 % off the delivery is fine.", False),
        ("come down by 5,000 EUR", "We can do 45,000 EUR.", False),
        ("45,000 euros and we sign", "We can do 44,000 euros.", True),
        ("60 days", "The new price is 30,000 euros.", False),
    ],
)
def test_a_lower_price_meets_what_the_client_wanted_of_the_whole(condition: str, ours: str, met: bool) -> None:
    assert comes_down(condition, ours, ours, ASKED) is met
