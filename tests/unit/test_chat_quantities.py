"""Figures are the same number of the same, however they are written."""

from __future__ import annotations

from decimal import Decimal

import pytest

from broadcaster.chat.quantities import quantities


@pytest.mark.parametrize(
    ("text", "number", "unit", "currencies"),
    [
        ("$24.00", "24", "money", "USD"),
        ("twenty-four dollars", "24", "money", "USD"),
        ("24 bucks", "24", "money", "USD"),
        ("US$24", "24", "money", "USD"),
        ("24美元", "24", "money", "USD"),
        ("128元", "128", "money", "CNY"),
        ("一百二十八块", "128", "money", "CNY"),
        ("RMB 128", "128", "money", "CNY"),
        ("¥128", "128", "money", "CNY JPY"),
        ("二十四块五", "24.5", "money", "CNY"),
        ("24元5角", "24.5", "money", "CNY"),
        ("24块5毛", "24.5", "money", "CNY"),
        ("eleven dollars and fifty cents", "11.5", "money", "USD"),
        ("eleven fifty", "11.5", "", ""),
        ("4,90 €", "4.9", "money", "EUR"),
        ("1,299.00", "1299", "", ""),
        ("two hundred and fifty thousand", "250000", "", ""),
        ("one point five", "1.5", "", ""),
        ("twenty first", "21", "ordinal", ""),
        ("第三", "3", "ordinal", ""),
        ("百分之二十", "20", "percent", ""),
        ("20%", "20", "percent", ""),
        ("八五折", "8.5", "折", ""),
        ("350毫升", "350", "ml", ""),
        ("350 ml", "350", "ml", ""),
        ("thirty days", "30", "day", ""),
        ("两天", "2", "day", ""),
        ("five working days", "5", "day", ""),
        ("5个工作日", "5", "day", ""),
        ("半小时", "0.5", "hour", ""),
        ("33只", "33", "piece", ""),
        ("a dozen", "12", "", ""),
        ("两千五", "2500", "", ""),
        ("一千零二", "1002", "", ""),
        ("一万两千", "12000", "", ""),
        ("三点五", "3.5", "", ""),
        ("１２８元", "128", "money", "CNY"),
    ],
)
def test_a_figure_is_read_as_its_number_and_unit(text: str, number: str, unit: str, currencies: str) -> None:
    (one,) = quantities(f"It is {text}" if text.isascii() else text)
    assert Decimal(number) in [numbers[0] for numbers in one.readings if len(numbers) == 1]
    assert (one.unit, " ".join(sorted(one.currencies))) == (unit, currencies)


def test_a_range_has_both_its_ends() -> None:
    (one,) = quantities("in 3-5 days")
    assert one.readings == ((3, 5),) and one.unit == "day"
    assert [(one.readings, one.unit) for one in quantities("三到五天")] == [(((3,),), "day"), (((5,),), "day")]


def test_days_are_told_by_their_names() -> None:
    assert [one.day for one in quantities("Friday or tomorrow, 星期五")] == ["friday", "tomorrow", "星期五"]


def test_places_are_those_of_the_text() -> None:
    text = "The mug costs $24.00 and 33 are left."
    assert [text[one.begin : one.end] for one in quantities(text)] == ["$24.00", "33"]
