"""What the statements say that a page names, in a sentence each."""

from collections.abc import Sequence

from policycliff.report.elements import join, tag
from policycliff.report.sections.section import Section
from policycliff.report.statements import PAPER, STATEMENTS, all_named, anchor


def in_words_section(sections: Sequence[Section]) -> Section | None:
    """The words of all statements that these sections name; None where they name none."""
    texts = [text for section in sections for text in (section.statement, *section.named)]
    names = all_named(texts)
    if not names:
        return None
    pairs = [join(tag("dt", name, id=anchor(name)), tag("dd", STATEMENTS[name])) for name in names]
    meaning = f"Numbers are those of {PAPER}; a Result goes beyond it."
    return Section("in-words", "The statements in words", meaning, "", tag("dl", pairs, class_="names"))
