"""The work of `policycliff audit` and `demo`: settings, the audit, the files. Imports what is heavy."""

from collections.abc import Callable
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, NamedTuple

import typer

from policycliff.cli.conditions import Condition, parse_condition
from policycliff.cli.outputs import Outputs, drop_list_text, json_text, write_all
from policycliff.cli.process import FAILED, PatientConsole, exit_codes, print_result, rendered, unbroken_output
from policycliff.cli.progress import shown_progress
from policycliff.cli.recognition import print_recognition
from policycliff.cli.views import VIEWS
from policycliff.errors import InvalidInputError
from policycliff.report.redact import redacted
from policycliff.report.text import one_line
from policycliff.rollouts.audit import Audit, audit_table
from policycliff.rollouts.parts.opened import Work
from policycliff.rollouts.reading.files import find_tables
from policycliff.rollouts.reading.option_text import (
    parse_derive,
    parse_noise,
    parse_number_of,
    parse_rerun,
    parse_reward,
    unquoted,
)
from policycliff.rollouts.reading.recognise import recognise
from policycliff.rollouts.reading.settings_file import read_settings
from policycliff.rollouts.settings import AuditSettings

DEMO_SETTINGS = AuditSettings(
    rewards=(("generated_tests_pass_rate", 1.0), ("example_tests_pass_rate", 0.0), ("compiles", 0.0)),
    truth="hidden_tests_passed",
    # The other columns are counts of tests, or another reading of the truth itself.
    tie_breakers=("n_chars",),
    max_reward=(("generated_tests_pass_rate", 1.0),),
)


def run_audit_command(
    tables: list[str],
    given: dict[str, Any],
    *,
    settings_path: Path | None,
    outputs: Outputs,
    work: Work,
    redact: bool,
    dry_run: bool,
    quiet: bool,
) -> None:
    """Audit files as the options say."""
    with exit_codes() as written:
        if redact:
            _require_no_names(outputs)
        settings, fail_on = settings_of(given, settings_path)
        conditions = [parse_condition(text) for text in fail_on]
        paths = find_tables(tables)
        outputs.require_writable([*paths, *([] if settings_path is None else [settings_path])])
        if dry_run:
            with unbroken_output():
                _print_recognition(list(paths), settings, outputs)
            return
        asked = Asked(list(paths), settings, work, redact=redact)
        _audit(asked, outputs, conditions=conditions, quiet=quiet, written=written)


def run_demo_command(outputs: Outputs, *, quiet: bool) -> None:
    """Audit the packaged table."""
    with exit_codes() as written:
        outputs.require_writable([])
        with as_file(files("policycliff.data") / "humaneval_codegen.parquet") as path:
            _audit(Asked([path], DEMO_SETTINGS, Work()), outputs, conditions=[], quiet=quiet, written=written)


def settings_of(given: dict[str, Any], settings_path: Path | None) -> tuple[AuditSettings, list[str]]:
    """Settings and conditions: the file's, with what stands on the command line put over it.

    Raises:
        InvalidInputError: An option or the file cannot be right.
    """
    merged = {} if settings_path is None else read_settings(settings_path)
    options = _options(given)
    merged |= {name: value for name, value in options.items() if value is not None}
    if given["noise"]:
        merged["noise"] = options["noise"]
    fail_on = merged.pop("fail_on", [])
    return AuditSettings(**merged, named=frozenset(merged)), list(fail_on)


def _options(given: dict[str, Any]) -> dict[str, Any]:
    """The command line's options as fields of `AuditSettings`; None where not given."""
    options = dict(given)
    for name in ("prompt", "group", "step", "completion", "source", "behaviour", "truth", "main_reward"):
        options[name] = None if options[name] is None else unquoted(options[name])
    for name in ("missing", "aggregation"):
        options[name] = None if options[name] is None else str(options[name])
    options["noise"] = parse_noise(options["noise"]) if options["noise"] else None
    options["rewards"] = _each(parse_reward, options.pop("reward"))
    breakers = options.pop("tie_breaker")
    options["tie_breakers"] = tuple(unquoted(name) for name in breakers) if breakers else None
    options["derive"] = _each(parse_derive, options["derive"])
    options["rerun"] = _each(parse_rerun, options["rerun"])
    options["max_reward"] = _each(lambda text: parse_number_of(text, "max_reward", "value"), options["max_reward"])
    return options


def _each(parse: Callable[[str], tuple[str, Any]], texts: list[str] | None) -> tuple[tuple[str, Any], ...] | None:
    return tuple(parse(text) for text in texts) if texts else None


def _print_recognition(paths: list[Path], settings: AuditSettings, outputs: Outputs) -> None:
    found = recognise(paths, settings)
    if outputs.stdout() == "--json":
        typer.echo(json_text(found), nl=False)
        return
    print_recognition(found, PatientConsole())
    if outputs.files():
        typer.echo("Dry run: nothing was written.")


class Asked(NamedTuple):
    """What is to be audited, how, where, and whether the texts of the data are to be left out."""

    paths: list[Path]
    settings: AuditSettings
    work: Work
    redact: bool = False


def _audit(asked: Asked, outputs: Outputs, *, conditions: list[Condition], quiet: bool, written: list[Path]) -> None:
    with shown_progress(enabled=not quiet) as progress:
        progress("reading", 0.0)
        found = audit_table(asked.paths, asked.settings, asked.work, progress)
        result = redacted(found.to_dict()) if asked.redact else found.to_dict()
        contents = rendered(result, outputs, VIEWS["audit"]) | _drop_list(found, outputs)
    write_all(contents)
    written.extend(contents)
    print_result(result, outputs, VIEWS["audit"], quiet=quiet)
    _judge(conditions, result)


def _drop_list(found: Audit, outputs: Outputs) -> dict[Path, str]:
    path = outputs.drop_list
    return {} if path is None else {path: drop_list_text(found.drop_list, path)}


def _require_no_names(outputs: Outputs) -> None:
    if outputs.drop_list is not None:
        raise InvalidInputError(
            "--drop-list writes the names of prompts, which --redact leaves out. Leave one of them out; the JSON's "
            "advice.drop_list has the rows of the prompts."
        )


def _judge(conditions: list[Condition], result: dict[str, Any]) -> None:
    """End with code 1 if a condition holds, and say which."""
    judged = [(condition, *condition.holds(result)) for condition in conditions]
    holding = [(condition, figure) for condition, holds, figure in judged if holds]
    for condition, figure in holding:
        told = one_line(f"--fail-on {condition.text} holds: {condition.path} is {figure:.6g}.")
        typer.echo(f"policycliff: {told}", err=True)
    if holding:
        raise typer.Exit(FAILED)
