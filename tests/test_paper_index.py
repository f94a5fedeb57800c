"""The index of the paper and the errata name what exists: every statement, its file, its command, its code."""

import re
from pathlib import Path

import pytest

import policycliff
from policycliff.statements.registry import STATEMENTS
from policycliff.statements.run import select

DOCS = Path(__file__).parent.parent / "docs"
SOURCE = Path(policycliff.__file__).parent
INDEX = (DOCS / "paper_index.md").read_text(encoding="utf-8")
ERRATA = (DOCS / "errata.md").read_text(encoding="utf-8")
ROWS = [line for page in (INDEX, ERRATA) for line in page.splitlines() if "policycliff theorems --only" in line]


def test_every_statement_has_its_row_in_the_order_in_which_they_run():
    named = [re.search(r'--only "([^"]+)"', row).group(1) for row in ROWS]
    assert named == [statement.number for statement in STATEMENTS]


@pytest.mark.parametrize("row", ROWS)
def test_the_command_runs_one_statement_and_the_files_exist(row):
    assert len(select([re.search(r'--only "([^"]+)"', row).group(1)])) == 1
    paths = re.findall(r"`([a-z_/0-9]+\.py)`", row)
    assert all((SOURCE / path).is_file() for path in paths), paths


def test_the_index_says_what_the_statements_say():
    for statement in STATEMENTS:
        if not statement.number.startswith("Erratum"):
            row = next(line for line in INDEX.splitlines() if line.startswith(f"| {statement.number} |"))
            words = re.sub(r"abs\(r\)", "|r|", row).replace("‖c‖₁", "|c|_1")
            assert f"| {statement.says} |" in words, statement.number


def test_public_names_in_the_index_are_public():
    columns = [row.split("|")[3] for row in INDEX.splitlines() if "policycliff theorems --only" in row]
    found = [name for column in columns for name in re.findall(r"`([A-Za-z_.()=]+)`", column)]
    names = {name.split("(")[0].split(".")[0] for name in found}
    own = {"mixture_modulus"}
    assert {name for name in names if name not in policycliff.__all__} <= own
