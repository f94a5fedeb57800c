"""The work of `policycliff mdp analyze` and `mdp convert`. Imports what is heavy."""

from pathlib import Path

import numpy as np
import typer

from policycliff.cli.given_source import input_files, pairs_of
from policycliff.cli.outputs import Outputs, write_all
from policycliff.cli.process import exit_codes, print_result, rendered, unbroken_output
from policycliff.cli.progress import shown_progress
from policycliff.cli.views import VIEWS
from policycliff.cliffs.verdict.analysis import analyze_mdp
from policycliff.mdp.messages import fail
from policycliff.mdp.sources.environments import parse_options
from policycliff.mdp.sources.read import read_source
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
            contents = rendered(result, outputs, VIEWS["mdp"])
        write_all(contents)
        written.extend(contents)
        print_result(result, outputs, VIEWS["mdp"], quiet=quiet)


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
