from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.plot import HEIGHT, LEFT, RIGHT, TOP, WIDTH, bars, lines, powers, ticks

SVG = "{http://www.w3.org/2000/svg}"


def points(svg: str) -> list[list[tuple[float, float]]]:
    drawn = ElementTree.fromstring(svg).iter(f"{SVG}polyline")
    return [[(float(x), float(y)) for x, y in (pair.split(",") for pair in line.attrib["points"].split())] for line in drawn]


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def test_a_chart_has_its_lines_and_its_words() -> None:
    svg = lines("A & B", "minutes", "seconds", {"a": [(0, 0), (10, 4)], "<b>": [(0, 2), (10, 2)]})
    curve, _, flat, _ = points(svg)
    assert [(LEFT, HEIGHT - 44), (WIDTH - RIGHT, TOP)] == curve
    assert flat[0][1] == flat[1][1] == (TOP + HEIGHT - 44) / 2
    assert {"A & B", "minutes", "seconds", "a", "<b>", "0", "10", "4"} <= set(texts(svg))


def test_a_logarithmic_chart_gives_each_factor_the_same_height() -> None:
    svg = lines("t", "x", "y", {"a": [(0, 0.1), (1, 1.0), (2, 10.0)]}, logarithmic=True)
    (_, low), (_, middle), (_, high) = points(svg)[0]
    assert low - middle == pytest.approx(middle - high)
    assert {"0.1", "1", "10"} <= set(texts(svg))


@pytest.mark.parametrize(("series", "logarithmic"), [({}, False), ({"a": []}, False), ({"a": [(0.0, 0.0)]}, True)])
def test_what_cannot_be_drawn_is_refused(series: dict[str, list[tuple[float, float]]], logarithmic: bool) -> None:
    with pytest.raises(ValueError, match=r"nothing|above 0"):
        lines("t", "x", "y", series, logarithmic=logarithmic)


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_ticks_hold_everything_and_are_few(low: float, span: float) -> None:
    found = ticks(low, low + span)
    assert found[0] <= low + 1e-6 * span
    assert found[-1] >= low + span - 1e-6 * span
    assert 2 <= len(found) <= 9
    assert sorted(set(found)) == found


@given(st.floats(1e-6, 1e6), st.floats(1.0, 1e6))
def test_powers_hold_everything(low: float, times: float) -> None:
    found = powers(low, low * times)
    assert found[0] <= low * (1 + 1e-6)
    assert found[-1] >= low * times * (1 - 1e-6)
    assert len(found) >= 2


def test_one_point_is_drawn_too() -> None:
    assert len(points(lines("t", "x", "y", {"a": [(1.0, 1.0)]}))) == 2


def test_bars_are_as_long_as_what_they_stand_for() -> None:
    svg = bars("A & B", "percent", {"<x>": {"one": 50.0, "two": 100.0}, "y": {"two": 25.0}})
    lengths = [float(bar.attrib["width"]) for bar in ElementTree.fromstring(svg).iter(f"{SVG}rect")]
    one, two, half, *legend = lengths
    assert (two / 2, two / 4) == (one, half)
    assert 2 == len(legend)
    assert {"A & B", "percent", "<x>", "y", "one", "two"} <= set(texts(svg))


@pytest.mark.parametrize("groups", [{}, {"a": {}}, {"a": {"b": -1.0}}])
def test_what_has_no_length_is_no_bar(groups: dict[str, dict[str, float]]) -> None:
    with pytest.raises(ValueError, match="from 0 on"):
        bars("t", "x", groups)
