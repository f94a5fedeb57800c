"""What this cannot know."""

from policycliff.report.elements import tag
from policycliff.report.format import count
from policycliff.report.sections.section import Section
from policycliff.report.summary import Result, left_out, main_figures
from policycliff.report.text import one_line


def limits_section(result: Result) -> Section:
    """What no audit of samples can know."""
    items = [*_always(result), *_sometimes(result), *(f"Left out or odd: {line}." for line in left_out(result))]
    body = tag("ul", [tag("li", one_line(item)) for item in items])
    meaning = "Every figure above is about the completions in the table; this is where that stops."
    return Section("limits", "What this cannot know", meaning, "", body)


def _always(result: Result) -> list[str]:
    sizes = result["counts"]["group_sizes"]
    size = count(sizes["min"]) if sizes["min"] == sizes["max"] else f"{count(sizes['min'])} to {count(sizes['max'])}"
    return [
        f"Samples are not the policy. With {size} completions a prompt, the best of the sample is not the best of all "
        "completions: a behaviour that nobody sampled can tie or beat it, and no figure here counts it.",
        "Soft policies are reweighted samples: their total variation and its bounds say nothing of unseen completions.",
        "Intervals treat prompts as independent draws; they do not cover another scorer or sampler.",
        "What counts as one behaviour is a choice (the exact text, or the behaviour column): a finer one makes more "
        "ties, a coarser one hides some.",
        "A tie is called consequential by the columns that were given; what they do not measure stays unseen.",
    ]


def _sometimes(result: Result) -> list[str]:
    main, found = main_figures(result), []
    if result["truth"] is None:
        found.append("No truth column was named, so what the ties cost is not known.")
    if main["noise"]["sigma"] is None:
        found.append(f"The noise of a score is unknown ({main['noise']['origin']}), so are flip probabilities.")
    for name, figures in result["rewards"].items():
        if not figures["prompts"]:
            found.append(f"{name}: {figures['note']}.")
        elif figures["unresolved_rows"]:
            found.append(f"{name}: {count(figures['unresolved_rows'])} scores could not be told from ties exactly.")
    return found
