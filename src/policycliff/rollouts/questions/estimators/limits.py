"""What the answer cannot know."""

from collections.abc import Mapping
from typing import Any

from policycliff.report.format import quantity


def limits_of(figures: Mapping[str, Any]) -> list[str]:
    """A sentence each."""
    limits = [
        "Every completion counts once. verl and OpenRLHF whiten over tokens, so there long completions weigh more in "
        "the batch's mean and standard deviation of REINFORCE++ (and of verl's GDPO).",
        "What a trainer adds to an advantage: clipping, importance ratios, KL terms in the reward, length "
        "normalisation, filters of groups.",
        f"One epsilon, {figures['epsilon']:g}, for all, as in TRL; others use less (verl 1e-6, OpenRLHF 1e-9, NeMo RL "
        "1e-6): name it with --epsilon.",
        "Which estimator trains the better policy: a larger share of noise in the signal slows learning, but no table "
        "of rollouts says by how much.",
        "Intervals are over groups, with the statistics of the batches as they are.",
    ]
    if figures["batches"]["count"] == 1 and figures["batches"]["origin"] == "the whole table":
        limits.append(
            "The whole table counts as one batch. In smaller batches their statistics vary: give --batch-size."
        )
    if figures["groups"]["left_out"]:
        limits.append(
            f"{quantity('group', figures['groups']['left_out'])} with fewer than two usable rewards: left out, also of "
            "the batch statistics."
        )
    unknown = figures["noise"]["unknown"]
    if len(unknown) == len(figures["weights"]):
        limits.append("The scorer's noise is not known: state it with --noise, or name second scores with --rerun.")
    elif unknown:
        limits.append(f"The noise of {', '.join(unknown)} is not known and counts as 0.")
    if figures["noise"]["sigmas"] is None and len(unknown) < len(figures["weights"]):
        limits.append("Identical completions have identical scores, so the scorer's noise counts as 0.")
    return limits
