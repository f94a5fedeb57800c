"""The documentation holds together: links lead somewhere, examples run, commands and their options exist."""

import re
import runpy
import shlex
from pathlib import Path

import pytest
import typer

from policycliff.cli.main import app

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
HOW_TO = [
    ROOT / "docs" / "how-to" / f"{page}.md"
    for page in ("one-reward", "several-rewards", "analyze-an-mdp", "break-a-tie")
]
WHOLE = [*sorted((ROOT / "docs" / "reference").glob("*.md")), *HOW_TO]


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_relative_links_lead_to_files(page):
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    missing = [target for target in targets if "://" not in target and not (page.parent / target).exists()]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_in_the_docs_exist_with_their_options(page):
    commands = {command.name: command for command in typer.main.get_command(app).commands.values()}
    for block in re.findall(r"```bash\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words[:1] != ["policycliff"] or len(words) < 2 or words[1].startswith("-"):
                continue
            command = commands[words[1]]
            command = getattr(command, "commands", {}).get(words[2], command) if len(words) > 2 else command
            known = {flag for parameter in command.params for flag in parameter.opts}
            given = {word for word in words[2:] if re.match(r"^--?[a-z]", word)}
            assert given <= known | {"--help"}, line


@pytest.mark.parametrize("page", WHOLE, ids=name)
def test_python_on_the_pages_of_the_core_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for block in re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        exec(compile(block, name(page), "exec"), {})


@pytest.mark.parametrize("example", EXAMPLES, ids=name)
def test_examples_run_and_are_short(example, capsys, tmp_path, monkeypatch):
    text = example.read_text(encoding="utf-8")
    assert len(text.splitlines()) < 80
    if "read_source(" in text:
        pytest.importorskip("mo_gymnasium")
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(example), run_name="__main__")
    assert capsys.readouterr().out
