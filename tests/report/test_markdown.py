"""Comments for GitHub: the figures are there, text stays text, and they fit."""

import json
import re
from html.parser import HTMLParser

import pytest
from audit_examples import every_result
from hostile import COLUMNS, TEXTS, hostile_table
from markdown_it import MarkdownIt
from test_answers import example

from policycliff.report.format import percent
from policycliff.report.markdown.answer import markdown_answer
from policycliff.report.markdown.audit import markdown_audit
from policycliff.report.markdown.blocks import LIMIT, Block, assembled, bullets
from policycliff.report.markdown.escape import code, escaped
from policycliff.report.markdown.mdp import markdown_mdp
from policycliff.report.markdown.theorems import markdown_theorems
from policycliff.report.text import one_line
from policycliff.rollouts.audit import audit

RESULTS = every_result()
FULL = RESULTS["two rewards, truth, second scores"]
ELEMENTS = {
    "h3", "p", "ul", "li", "strong", "code", "sub", "span", "table", "thead", "tbody", "tr", "th", "td", "details",
    "summary",
}  # fmt: skip

# What GitHub links after it has rendered the page, wherever it stands outside of code.
LINKED = re.compile(
    r"(?<![\w/])@[A-Za-z0-9]|#\d|\bGH-\d|https?://\S|\bwww\.\w|:[\w+-]+:|\b(?=\d*[a-f])[0-9a-f]{7,40}\b|\w@\w",
    re.IGNORECASE,
)
TRICKS = (
    "@octocat and @org/team", "see #123, org/repo#7 and GH-12", "https://evil.example www.evil.example",
    "`code` ``more``", "a | b \\| c \\\\| d", "**bold** __bold__ *x* _y_ ~~gone~~", "<img src=x onerror=alert(1)>",
    "[text](https://evil.example) ![image](x)", "$x^2$ $$y$$", ":tada: :+1:", "<!-- gone -->", "deadbeefcafe",
    "0123456789abcdef0123456789abcdef01234567", "</code></details><script>", "&lt;b&gt; &#64;you", "# heading",

    "- item", "1. item", "12) item", "a@evil.example", "\\", "`",
    "a\u202eb\u061cc\x1b[31m", "line\nbreak\r\n\r\n# other", "| --- |", "==", "[^1]: note",
)  # fmt: skip


class Rendered(HTMLParser):
    """Elements and text of the page that a Markdown renderer makes."""

    def __init__(self, markdown: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[str] = []
        self.texts: list[str] = [""]
        self.feed(MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(markdown))
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append(tag)
        self.texts.append("")
        assert tag == "th" or tag == "td" or not attrs, (tag, attrs)

    def handle_endtag(self, tag):
        self.texts.append("")

    def handle_data(self, data):
        self.texts[-1] += data

    def handle_comment(self, data):
        raise AssertionError(data)

    @property
    def text(self) -> str:
        return "".join(self.texts).replace("\u200b", "")


@pytest.mark.parametrize("text", [*TRICKS, *TEXTS])
@pytest.mark.parametrize("place", ["- {}", "| a | b |\n| --- | --- |\n| {} | x |", "### {}", "**b** {} <sub>x</sub>"])
@pytest.mark.parametrize("made", [escaped, code])
def test_text_stays_text(text, place, made):
    page = Rendered(place.format(made(text)))
    assert set(page.elements) <= ELEMENTS
    assert one_line(text) in page.text
    assert not LINKED.search("".join(page.texts))
    assert not re.search("[\x00-\x09\x0b-\x1f\u061c\u202a-\u202e\u2066-\u2069]", page.text)
    if "table" in page.elements:
        assert page.elements.count("td") == 2


def hostile_comment(names: dict[str, str]) -> str:
    table = hostile_table().rename({COLUMNS[key]: name for key, name in names.items()})
    given = COLUMNS | names
    options = {"prompt": "prompt", "group": "prompt_id", "completion": "completion", "source": given["source"]}
    rewards = {given["first"]: 1.0, given["second"]: 0.5}
    return markdown_audit(audit(table, rewards=rewards, truth=given["truth"], **options).to_dict())


@pytest.mark.parametrize(
    "names",
    [{}, {"first": "a|b`@you #12 ~~x~~", "second": "c_d $x$ $y$ <!--", "truth": "www.x.y :tada: \\|"}],
    ids=["markup", "markdown"],
)
def test_hostile_columns_stay_text(names):
    page = Rendered(hostile_comment(names))
    assert set(page.elements) <= ELEMENTS
    assert not LINKED.search("".join(page.texts))
    rows = page.elements.count("tr")
    assert rows > 5
    assert page.elements.count("td") == 4 * (rows - 1)
    for name in (COLUMNS | names).values():
        assert one_line(name)[:30] in page.text


@pytest.mark.parametrize("name", RESULTS)
def test_every_finding_and_figure_is_there(name):
    result = RESULTS[name]
    page = Rendered(markdown_audit(result))
    for finding in result["verdict"]:
        assert one_line(finding["text"]) in page.text
        assert finding["statement"] in page.text
    for figures in list(result["rewards"].values())[1:]:
        if figures["prompts"]:
            assert percent(figures["tied_share"]["value"]) in page.text
    assert page.elements.count("details") == 1


def test_rewards_are_columns_and_a_share_has_its_interval():
    lines = markdown_audit(FULL).splitlines()
    head = lines.index("|  | <code>effective</code> (sum) | <code>passes</code> | <code>style</code> |")
    assert lines[head + 2] == "| tied at the top | 10 % (3.46 to 25.6) | 100 % (88.6 to 100) | 20 % (9.51 to 37.3) |"


def test_many_rewards_are_counted():
    rewards = FULL["rewards"] | {f"more_{number}": FULL["rewards"]["style"] for number in range(10)}
    text = markdown_audit(FULL | {"rewards": rewards})
    assert "and 5 more rewards, in the report" in text
    assert "more_9" not in text


def test_it_fits_a_comment_whatever_the_data():
    long = "$@`|" * 500
    changed = json.loads(json.dumps(FULL).replace('"style', f'"{long}').replace("style ", f"{long} "))
    changed["verdict"] = [finding | {"text": long * 5} for finding in changed["verdict"]] * 20
    changed["settings"]["notes"] = [long] * 300
    text = markdown_audit(changed)
    assert 30_000 < len(text) <= LIMIT
    assert "lines left out: a comment has no more room" in text
    assert set(Rendered(text).elements) <= ELEMENTS


def test_whole_lines_are_left_out_and_counted():
    blocks = [Block("head"), bullets(["x" * 90] * 10), Block("tail")]
    text = assembled(blocks, 600)
    assert len(text) <= 600
    kept = text.count("x" * 90)
    assert 0 < kept < 10
    assert f"{10 - kept} lines left out" in text
    assert text.count("head") == text.count("tail") == 1
    assert "left out" not in assembled(blocks)


def test_an_answer_is_a_comment():
    text = markdown_answer(json.loads(json.dumps(example().to_dict())))
    page = Rendered(text)
    assert set(page.elements) <= ELEMENTS
    for expected in ("50 % (25 to 75)", "unknown", "<script>alert(1)</script>", "Prop 2.9"):
        assert expected in page.text


def test_the_statements_and_an_mdp_are_comments():
    from policycliff import theorems

    found = theorems(only=["Prop 2.9"]).to_dict()
    assert "| Prop 2.9 |" in markdown_theorems(found)
    result = {
        "source": {
            "name": "a|b", "n_states": 2, "n_pairs": 3, "gamma": 0.9, "reward_names": ["@r"], "weights": [1.0],
            "notes": ["<b>"],
        },
        "counts": {"unique": 1, "tied": 0, "unresolved": 0, "terminal": 1},
        "verdict": [{"level": "good", "title": "t", "value": "1", "text": "#12", "statement": "Thm 2.7"}],
        "advice": ["*do*"],
        "policycliff": "0.1.0",
    }  # fmt: skip
    page = Rendered(markdown_mdp(result))
    assert set(page.elements) <= ELEMENTS
    for expected in ("a|b", "@r", "<b>", "t: 1. #12", "*do*", "Thm 2.7"):
        assert expected in page.text
