"""Settings from a file, and options written as text."""

from pathlib import Path
from typing import Any

import pytest

from policycliff.errors import InvalidInputError, SourceNotFoundError
from policycliff.rollouts.reading.option_text import (
    parse_derive,
    parse_noise,
    parse_number_of,
    parse_rerun,
    parse_reward,
    unquoted,
)
from policycliff.rollouts.reading.settings_file import read_settings
from policycliff.rollouts.settings import AuditSettings, setting_names


def _read(folder: Path, text: str, name: str = "s.toml") -> dict[str, Any]:
    path = folder / name
    path.write_text(text)
    return read_settings(path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("accuracy", ("accuracy", 1.0)),
        ("accuracy=0.5", ("accuracy", 0.5)),
        ("my reward = -2e-3", ("my reward", -0.002)),
        ('"a=b"', ("a=b", 1.0)),
        ('"a=b"=3', ("a=b", 3.0)),
        ('"my col"=0', ("my col", 0.0)),
        ("rewards/acc.raw=1", ("rewards/acc.raw", 1.0)),
        ("a=b=2", ("a=b", 2.0)),
        ("it's=1", ("it's", 1.0)),
    ],
)
def test_rewards(text: str, expected: tuple[str, float]) -> None:
    assert parse_reward(text) == expected


@pytest.mark.parametrize("text", ["a=b", "a=", "a=nan", "a=inf", "a=1.5.2"])
def test_a_weight_is_a_finite_number(text: str) -> None:
    with pytest.raises(InvalidInputError, match=r"weight must be a finite number.*quote the name"):
        parse_reward(text)


@pytest.mark.parametrize("text", ["", "=1", '""', '""=2', "  "])
def test_a_reward_has_a_name(text: str) -> None:
    with pytest.raises(InvalidInputError, match="names no column"):
        parse_reward(text)


def test_other_pairs() -> None:
    assert parse_number_of("judge=10", "max_reward", "value") == ("judge", 10.0)
    assert parse_derive("x = a = b AND c = 'd'") == ("x", "a = b AND c = 'd'")
    assert parse_derive('"x=y"=1') == ("x=y", "1")
    assert parse_rerun('"a=b"="c=d"') == ("a=b", "c=d")
    assert unquoted(' "x" ') == "x"


@pytest.mark.parametrize("text", ["x", "x=", "=1"])
def test_a_derived_column_has_a_name_and_an_expression(text: str) -> None:
    with pytest.raises(InvalidInputError):
        parse_derive(text)


@pytest.mark.parametrize("text", ["x", "x=y=z", "=y", "x="])
def test_a_rerun_names_two_columns(text: str) -> None:
    with pytest.raises(InvalidInputError):
        parse_rerun(text)


def test_noise() -> None:
    assert parse_noise(["AUTO"]) == "auto"
    assert parse_noise(["none"]) is None
    assert parse_noise(["0.5", "judge=0.1"]) == (("*", 0.5), ("judge", 0.1))
    for wrong in (["auto", "1"], ["x"], ["a=b"]):
        with pytest.raises(InvalidInputError, match="noise"):
            parse_noise(wrong)


def test_toml_and_json_say_the_same(tmp_path: Path) -> None:
    toml = _read(
        tmp_path,
        """
        reward = ["accuracy=1", "format=0.5"]
        group-size = 8
        max_reward = { accuracy = 1 }
        derive = ["x=a = b"]
        truth = "t"
        noise = [0.1, "format=0.2"]
        epsilon = 1
        fail_on = "tied_share>0.3"
        """,
    )
    json = _read(
        tmp_path,
        """{"rewards": {"accuracy": 1, "format": 0.5}, "group_size": 8, "max-reward": ["accuracy=1"],
        "derive": {"x": "a = b"}, "truth": "t", "noise": {"*": 0.1, "format": 0.2}, "epsilon": 1.0,
        "fail-on": ["tied_share>0.3"]}""",
        "s.json",
    )
    assert toml == json
    assert toml.pop("fail_on") == ["tied_share>0.3"]
    settings = AuditSettings(**toml)
    assert settings.rewards == (("accuracy", 1.0), ("format", 0.5))
    assert (settings.group_size, settings.epsilon, settings.derive) == (8, 1.0, (("x", "a = b"),))


def test_every_setting_can_stand_in_a_file(tmp_path: Path) -> None:
    values = {"rewards": '["a"]', "derive": '["x=1"]', "max_reward": '["a=1"]', "rerun": '["a=b"]', "noise": '"auto"'}
    texts = {"missing": '"zero"', "aggregation": '"normalize_then_sum"', "max_shift": "0.2"}
    for name in setting_names():
        default = AuditSettings.__dataclass_fields__[name].type
        value = (
            values.get(name) or texts.get(name) or ("1" if "int" in str(default) or "float" in str(default) else '"a"')
        )
        AuditSettings(**_read(tmp_path, f"{name} = {value}"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rewrd = 'a'", "unknown option 'rewrd'. Did you mean 'reward'"),
        ("json = 'out.json'", "unknown option 'json'"),
        ("reward = 1", "expected text or a list of texts"),
        ("reward = ['a=x']", "weight must be a finite number"),
        ("reward = { a = 'x' }", "'a' must be a number, got 'x'"),
        ("reward = { a = true }", "'a' must be a number"),
        ("group_size = 1.5", "'group_size' must be a whole number"),
        ("group_size = true", "'group_size' must be a whole number"),
        ("epsilon = 'small'", "'epsilon' must be a number"),
        ("truth = 3", "'truth' must be text"),
        ("derive = { x = 1 }", "'x' must be text"),
        ("reward = 'a'\nrewards = 'b'", "'rewards' is given twice"),
        ("reward = [", "is not valid TOML"),
        ("noise = ['auto', 1]", "stand alone"),
    ],
)
def test_a_wrong_file_is_refused(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=message):
        _read(tmp_path, text)


def test_a_file_that_is_no_object_or_not_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="must hold an object"):
        _read(tmp_path, "[1]", "s.json")
    with pytest.raises(InvalidInputError, match="is not valid JSON"):
        _read(tmp_path, "{", "s.json")
    with pytest.raises(SourceNotFoundError, match="does not exist"):
        read_settings(tmp_path / "nothing.toml")
