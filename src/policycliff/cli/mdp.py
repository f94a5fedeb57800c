"""The work of `policycliff mdp analyze` and `mdp convert`. Imports what is heavy."""

from pathlib import Path
from typing import Any

import numpy as np
import typer

from policycliff.cli.outputs import Outputs, json_text, write_all
from policycliff.cli.progress import shown_progress
from policycliff.cli.run import PatientConsole, exit_codes, unbroken_output
from policycliff.cliffs.verdict.analysis import analyze_mdp
from policycliff.mdp.messages import fail
from policycliff.mdp.sources.environments import parse_options
from policycliff.mdp.sources.read import FILE_ENDINGS, read_source
from policycliff.mdp.sources.source import MDPSource
from policycliff.mdp.sources.write import write_source, written_files


def run_analyze_command(
    text: str,
    *,
    gamma: float | None,
    options: list[str] | None,
    weights: list[str] | None,
    reward_error: float | None,
    exact: bool,
    max_states: int | None,
    outputs: Outputs,
    quiet: bool,
) -> None:
    """Read the source, analyse it, write the files, print the verdict."""
    with exit_codes() as written:
        outputs.require_writable(input_files(text))
        with shown_progress(enabled=not quiet) as progress:
            settings = parse_options(pairs_of(options, "--set"))
            source = read_source(text, gamma=gamma, options=settings, max_states=max_states, progress=progress)
            mixture = weights_of(weights, source)
            result = analyze_mdp(
                source, weights=mixture, reward_error=reward_error, exact=exact, progress=progress
            ).to_dict()
            contents = _contents(result, outputs)
        write_all(contents)
        written.extend(contents)
        with unbroken_output():
            _print(result, outputs, quiet=quiet)


def run_convert_command(
    text: str,
    out: Path,
    *,
    gamma: float | None,
    options: list[str] | None,
    max_states: int | None,
    quiet: bool,
) -> None:
    """Read the source and write it in another format."""
    with exit_codes() as written:
        settings = parse_options(pairs_of(options, "--set"))
        with shown_progress(enabled=not quiet) as progress:
            source = read_source(text, gamma=gamma, options=settings, max_states=max_states, progress=progress)
        taken = {path.resolve() for path in input_files(text)}
        clash = next((path for path in written_files(source, out) if path.resolve() in taken), None)
        if clash is not None:
            raise fail(got=f"the output {clash}", expected="another file than the input", remedy="Choose another name.")
        written.extend(write_source(source, out))
        if not quiet:
            with unbroken_output():
                typer.echo(f"Written: {', '.join(map(str, written))}")
                for note in [*source.notes, *_lost(source, out)]:
                    typer.echo(f"Note: {note}")


def input_files(text: str) -> list[Path]:
    """The files that a source names, which no output may replace."""
    name = text.rpartition(":")[0] if ".parquet:" in text.lower() else text
    path = Path(name)
    if path.suffix.lower() not in FILE_ENDINGS:
        return []
    if path.suffix.lower() == ".tra":
        return [file for file in path.parent.glob(f"{path.stem}.*") if file.suffix not in {".html", ".json"}]
    return [path]


def pairs_of(texts: list[str] | None, option: str) -> dict[str, str]:
    """`NAME=VALUE` texts as a dictionary.

    Raises:
        InvalidInputError: one without `=`, or a name twice.
    """
    result: dict[str, str] = {}
    for text in texts or []:
        name, equals, value = text.partition("=")
        if not equals or not name.strip() or name.strip() in result:
            raise fail(
                got=f"{option} {text!r}",
                expected="NAME=VALUE, each name once",
                remedy="For example is_slippery=false or time=0.5.",
            )
        result[name.strip()] = value.strip()
    return result


def weights_of(texts: list[str] | None, source: MDPSource) -> list[float] | None:
    """Weights by component name; all components must be named.

    Raises:
        InvalidInputError: an unknown or missing component, or no number.
    """
    if not texts:
        return None
    given = pairs_of([piece for text in texts for piece in text.split(",")], "--weights")
    names = list(source.reward_names)
    for name in [*given, *names]:
        if name not in given or name not in names:
            raise fail(
                got=f"--weights {'with the unknown' if name in given else 'without the'} component {name!r}",
                expected=f"a weight for each of {', '.join(names)}",
                remedy=f"For example --weights {','.join(f'{other}=1' for other in names)}.",
            )
    return [_number(given[name], name) for name in names]


def _number(text: str, name: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise fail(got=f"--weights {name}={text}", expected="a number", remedy="Correct it.") from error


def _lost(source: MDPSource, out: Path) -> list[str]:
    """What the format cannot hold."""
    ending = out.suffix.lower()
    lost = []
    if ending == ".tra":
        lost.append(f"A .tra holds no discount: read it again with --gamma {source.mdp.gamma!r}.")
        first = source.mdp.initial
        if first is not None and np.unique(first[first > 0.0]).size > 1:
            lost.append("A .tra holds no start distribution but a uniform one over the states labelled `init`.")
        if (source.rewards < 0.0).any():
            lost.append("Storm reads no negative rewards from a .trew; a .drn may have them.")
    if ending in {".tra", ".drn"} and len(source.reward_names) > 1:
        lost.append("The format holds no weights of the rewards.")
    return lost


def _contents(result: dict[str, Any], outputs: Outputs) -> dict[Path, str]:
    chosen, contents = outputs.files(), {}
    if "--json" in chosen:
        contents[chosen["--json"]] = json_text(result)
    if "--html" in chosen:
        from policycliff.report.mdp.page import render_mdp  # noqa: PLC0415 - Plotly is heavy

        contents[chosen["--html"]] = render_mdp(result)
    return contents


def _print(result: dict[str, Any], outputs: Outputs, *, quiet: bool) -> None:
    if outputs.json_to_stdout():
        typer.echo(json_text(result), nl=False)
        return
    if quiet:
        return
    from policycliff.report.mdp.terminal import print_mdp  # noqa: PLC0415 - only where something is printed

    print_mdp(result, PatientConsole())
    for option, path in outputs.files().items():
        typer.echo(f"{'Figures' if option == '--json' else 'Page'}: {path}")
