"""Numbers as a person reads them."""

import pytest

from policycliff.report.format import interval, mean_text, number, percent, quantity, share_text
from policycliff.report.plots.layout import log_axis, share_limit
from policycliff.report.plots.ties import size_bins
from policycliff.report.sections.verdict import is_share
from policycliff.report.statements import STATEMENTS, all_named, explanation
from policycliff.report.text import one_line, short, tick_label, visible


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (1.0, "1"),
        (0.0692951, "0.0693"),
        (123.456, "123"),
        (1234.5, "1,234"),
        (1e12, "1e12"),
        (8.58e-6, "8.58e-6"),
        (-0.25, "-0.25"),
        (None, "unknown"),
    ],
)
def test_number(value, text):
    assert number(value) == text


def test_more_digits():
    assert number(1234.5678, digits=6) == "1,234.57"
    assert number(1.18001, digits=6) == "1.18001"


def test_unknown_is_never_zero():
    nothing = {"value": None, "low": None, "high": None}
    assert share_text(nothing) == mean_text(nothing) == percent(None) == "unknown"
    assert share_text(None, unknown="not estimable") == "not estimable"


def test_rounding_is_not_a_bound():
    assert interval({"value": 0.3, "low": 4e-9, "high": 0.95}) == "0 to 0.95"
    assert interval({"value": 0.0, "low": 0.0, "high": None}) == "no upper bound"


def test_quantity():
    assert quantity("prompt", 0) == "0 prompts"


def test_text_is_shown_and_not_obeyed():
    assert visible("\x1b[31m\x00\x7f\u202e\ud800\n\t") == "␛[31m\ufffd␡\ufffd\ufffd\n\t"
    assert one_line(" a \n\t b ", 3) == "a b"
    assert len(short("x" * 100, 28)) == 28


def test_long_labels_break_at_a_sign():
    assert tick_label("short") == "short"
    assert tick_label("<script>alert_1</script>") == "&lt;script&gt;alert_<br>1&lt;/script&gt;"


def test_sizes_are_pooled_without_loss():
    histogram = {str(size): size for size in range(1, 300)}
    assert sum(times for _, times in size_bins(histogram)) == sum(range(1, 300))


def test_axis_of_shares_reaches_beyond_the_intervals():
    assert share_limit([{"value": 0.4, "low": 0.3, "high": 0.5}, None]) > 0.5
    assert share_limit([]) > 0.1


def test_log_axis_has_round_ticks():
    assert log_axis("gain", 3.4, 35.0)["ticktext"] == ["1", "2", "5", "10", "20", "50", "100", "200", "500"]


def test_kinds_of_findings():
    assert is_share("rewards.a.flip_probability_mean")
    assert is_share("rewards.effective.flip_shares")
    assert not is_share("truth.with_spread.unfixable")


def test_statements_are_explained():
    assert explanation("Prop 2.9, Prop 2.10").startswith("Prop 2.9: ")
    assert all_named(["Sec 5.4, Thm 2.7", "Thm 2.7"]) == ["Thm 2.7", "Sec 5.4"]
    assert all(text.endswith(".") for text in STATEMENTS.values())
