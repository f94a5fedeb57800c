"""Which prompts does my reward leave to chance, and what would a tie-breaker be worth?

Audits the table that ships with the package: programs graded by model-written tests, hidden tests as the truth.
Run: python examples/which_prompts_are_tied.py
"""

from importlib.resources import as_file, files

import policycliff


def main() -> None:
    """Print the tied prompts with most at stake, and the price of the ties."""
    with as_file(files("policycliff.data") / "humaneval_codegen.parquet") as table:
        result = policycliff.audit(
            table, rewards={"generated_tests_pass_rate": 1.0}, truth="hidden_tests_passed", look_at=5
        ).to_dict()
    ties = result["rewards"]["effective"]["consequential_share"]
    print(f"consequential ties: {ties['value']:.1%} of prompts ({ties['low']:.1%} to {ties['high']:.1%})")
    price = result["truth"]["with_spread"]
    for name in ("sampling_truth", "worst_truth", "best_truth", "largest_truth"):
        print(f"{name:15s} {price[name]['value']:.3f}")
    for prompt in result["prompts_to_look_at"]:
        print(f"{prompt['prompt']}: {prompt['reason']}, {prompt['tied_size']} share the best reward")


if __name__ == "__main__":
    main()
