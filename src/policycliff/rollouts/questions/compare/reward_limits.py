"""What the comparison of two rewards cannot know."""

from typing import Any

from policycliff.rollouts.analyses.pairs import MIN_EFFECTIVE_SAMPLES
from policycliff.rollouts.questions.compare.reward_words import known_noise

Figures = dict[str, Any]


def reward_limits(figures: Figures) -> list[str]:
    """What the comparison cannot know."""
    limits = [
        "The choices are among the sampled completions: what a policy trained on B would write is not among them.",
        "A p-value says whether A and B differ in a figure over prompts like these, not which of them is right; that "
        "needs --truth.",
        "The permutation test has no meaning for the share of prompts whose choice changes: swapping A and B leaves "
        "it as it is. That share is set beside scoring again.",
    ]
    _, found = known_noise(figures)
    if found is None:
        limits.append(
            "The noise of neither reward is known, so nobody can say how many choices scoring again would change. Give "
            "--noise, or --rerun with a second score."
        )
    elif found["left_out"]:
        left_out = ", ".join(found["left_out"])
        limits.append(f"The noise of {left_out} is not known and counts as 0, so scoring again may change more.")
    if figures["pair"]["effective_sample_size_median"] < MIN_EFFECTIVE_SAMPLES:
        limits.append(
            f"At beta = {figures['beta']:.3g} the reweighted samples are worth "
            f"{figures['pair']['effective_sample_size_median']:.2g} completions a prompt: their total variation is "
            "that of a policy over these completions only."
        )
    return limits
