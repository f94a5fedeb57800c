"""`--help`: what the list says of a command is what the command says of itself, and nothing is built in vain."""

import os
import subprocess
import sys
from dataclasses import fields

import pytest
import typer
from typer.testing import CliRunner

from policycliff.cli import audit
from policycliff.cli.lazy import LazyCommand
from policycliff.cli.main import app, main
from policycliff.cli.table_options import TABLE_OPTIONS, settings_among
from policycliff.rollouts.settings import AuditSettings

GROUP = typer.main.get_command(app)
GROUPS = {"policycliff": GROUP, "policycliff mdp": GROUP.commands["mdp"]}
COMMANDS = {
    f"{name} {command.name}": command
    for name, group in GROUPS.items()
    for command in group.commands.values()
    if isinstance(command, LazyCommand)
}
FRESH = """import sys
from policycliff.cli.main import app, main
try:
    {call}
except SystemExit as end:
    print(end.code, *(name for name in {modules!r} if name in sys.modules), file=sys.stderr)
"""


def fresh(call: str, *modules: str) -> tuple[str, str]:
    """What a fresh process prints, in colour, and its exit code with those of the modules that it has imported."""
    shown = {name: text for name, text in os.environ.items() if name not in {"NO_COLOR", "TERMINAL_WIDTH"}}
    shown |= {"FORCE_COLOR": "1", "COLUMNS": "100"}
    command = [sys.executable, "-c", FRESH.format(call=call, modules=modules)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=shown)
    return done.stdout, done.stderr.strip()


def test_every_command_but_groups_is_built_when_it_is_needed() -> None:
    assert [name for name, command in GROUP.commands.items() if not isinstance(command, LazyCommand)] == ["mdp"]
    assert all(isinstance(command, LazyCommand) for command in GROUP.commands["mdp"].commands.values())


@pytest.mark.parametrize("name", COMMANDS)
def test_the_summary_is_the_first_paragraph_of_the_docstring(name: str) -> None:
    command = COMMANDS[name]
    assert command.help == command.built.help.split("\n\n")[0]
    assert command.name == command.built.name


@pytest.mark.parametrize("name", GROUPS)
def test_the_help_is_as_if_all_commands_were_built(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    group = typer.main.get_command(app)
    words = name.split()[1:]
    group.main([*words, "--help"], prog_name="policycliff", standalone_mode=False)
    lazy = capsys.readouterr().out
    inner = group.commands["mdp"] if words else group
    inner.commands = {key: getattr(command, "built", command) for key, command in inner.commands.items()}
    group.main([*words, "--help"], prog_name="policycliff", standalone_mode=False)
    assert capsys.readouterr().out == lazy
    rows = [line for line in lazy.splitlines() if line.startswith("│ ")]
    assert [row.split()[1] for row in rows if row[2].islower()] == list(inner.commands)


@pytest.mark.parametrize("arguments", [["--help"], ["audit", "--help"], ["mdp", "analyze", "--help"], []])
def test_the_help_imports_nothing_in_vain_and_looks_the_same(arguments: list[str]) -> None:
    unused = ("markdown_it", "pygments", "pydantic", "policycliff.cli.questions.compare")
    unused = unused if arguments else (*unused, "policycliff.cli.options")
    looks, ended = fresh(f"main({arguments})", *unused)
    assert ended in ("0", "2")  # Click's code where no command is given
    assert "\x1b[" in looks
    assert fresh(f"app({arguments}, prog_name='-c')")[0] == looks


def test_markdown_and_tracebacks_are_there_for_who_uses_them() -> None:
    use = (
        "from policycliff.cli.light_help import import_help; import_help(); import typer.rich_utils as used; "
        "from rich.markdown import Markdown; from rich.traceback import Traceback; "
        "print(isinstance(used.Markdown('*a*'), Markdown), Markdown is not used.Markdown, "
        "isinstance(used.Traceback.from_exception(ValueError, ValueError(), None), Traceback)); sys.exit()"
    )
    assert fresh(use)[0] == "True True True\n"


@pytest.mark.parametrize(
    ("words", "meant"), [(["audi"], "audit"), (["mixtures"], "mixture"), (["mdp", "analyse"], "analyze")]
)
def test_a_mistyped_command_is_told_what_may_be_meant(words: list[str], meant: str) -> None:
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 2
    assert f"Did you mean '{meant}'?" in " ".join(result.stderr.split())


def test_main_takes_its_words_from_the_process_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["policycliff", "mdp", "convert", "--help"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0


def test_settings_on_the_command_line_are_settings_of_the_audit() -> None:
    assert len({option.name for option in TABLE_OPTIONS}) == len(TABLE_OPTIONS)
    assert set(audit._options(settings_among({}))) <= {field.name for field in fields(AuditSettings)} | {"fail_on"}
    assert settings_among({"quiet": True, "prompt": "p"})["prompt"] == "p"
    assert "quiet" not in settings_among({"quiet": True})
