"""The options of `policycliff theorems` and `policycliff mdp`, each with its help: annotations for Typer."""

from pathlib import Path
from typing import Annotated

import typer

Mdp = Annotated[
    str | None,
    typer.Option(
        "--mdp",
        metavar="SOURCE",
        help="Your own MDP, an environment's id or a file as for `mdp analyze`, in place of the built-in instances.",
    ),
]
Instances = Annotated[
    int, typer.Option("--instances", metavar="N", min=0, help="Random instances besides, of eight kinds in turn.")
]
StatementSeed = Annotated[int, typer.Option("--seed", min=0, help="Seed of every random draw.")]
Only = Annotated[
    list[str] | None,
    typer.Option("--only", metavar="NUMBER", help="Only this statement, such as 'Prop 2.4'. Repeat for more."),
]
Details = Annotated[bool, typer.Option("--details", help="Print every claim and hypothesis of the examples, too.")]
ListStatements = Annotated[bool, typer.Option("--list", help="List the statements, and stop.")]

MdpSource = Annotated[str, typer.Argument(metavar="SOURCE", help="An environment's id, or a file.")]
ConvertOut = Annotated[Path, typer.Argument(metavar="OUT", help="Where to write it.")]
Gamma = Annotated[
    float | None, typer.Option("--gamma", min=0.0, max=1.0, help="Discount (default: the source's, else 0.99).")
]
Weights = Annotated[
    list[str] | None,
    typer.Option("--weights", metavar="NAME=W,...", help="Weights of several rewards (default: equal)."),
]
SetOptions = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="An option of the environment. Repeat for more."),
]
MdpRewardError = Annotated[
    float | None,
    typer.Option("--reward-error", min=0.0, help="The reward error that the advice guards against (default 1 %)."),
]
Exact = Annotated[bool, typer.Option("--exact", help="Rational arithmetic (up to 200 states; 20,000 where acyclic).")]
MaxStates = Annotated[
    int | None, typer.Option("--max-states", metavar="N", min=1, help="Where enumerating an environment stops.")
]
