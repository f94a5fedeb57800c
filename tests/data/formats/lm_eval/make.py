"""Write the fixtures of this folder with lm-evaluation-harness itself.

Written with lm-eval 0.4.13 (and torch 2.13.0 on a CPU): `python tests/data/formats/lm_eval/make.py` with lm-eval in the
environment. Two models that answer by a fixed rule solve three tasks: `sums` (generation, two filters), `sums_twice`
(two responses a document) and `capitals` (multiple choice). Nothing is loaded from the network.
"""

import json
import tempfile
from pathlib import Path

from lm_eval import simple_evaluate
from lm_eval.api.model import LM
from lm_eval.loggers import EvaluationTracker
from lm_eval.tasks import TaskManager

FOLDER = Path(__file__).parent
SUMS = [{"question": f"{a}+{b}?", "answer": str(a + b)} for a, b in [(1, 2), (3, 4), (5, 5), (8, 1), (9, 9)]]
CAPITALS = [
    {"question": "France", "choices": ["Paris", "Lyon", "Nice"], "gold": 0},
    {"question": "Italy", "choices": ["Milan", "Rome"], "gold": 1},
    {"question": "Spain", "choices": ["Madrid", "Seville", "Cadiz"], "gold": 0},
]
GENERATION = """
task: {name}
dataset_path: json
dataset_kwargs: {{data_files: {{test: {data}}}}}
test_split: test
output_type: generate_until
doc_to_text: "Q: {{{{question}}}}\\nA:"
doc_to_target: "{{{{answer}}}}"
generation_kwargs: {{until: ["\\n"]}}
repeats: {repeats}
filter_list:
- name: strict
  filter: [{{function: regex, regex_pattern: "^answer (-?[0-9]+)$"}}, {{function: take_first}}]
- name: flexible
  filter: [{{function: regex, regex_pattern: "(-?[0-9]+)", group_select: -1}}, {{function: take_first}}]
metric_list: [{{metric: exact_match, aggregation: mean, higher_is_better: true}}]
"""
CHOICE = """
task: capitals
dataset_path: json
dataset_kwargs: {{data_files: {{test: {data}}}}}
test_split: test
output_type: multiple_choice
doc_to_text: "Capital of {{{{question}}}}:"
doc_to_choice: choices
doc_to_target: gold
metric_list: [{{metric: acc}}, {{metric: acc_norm}}]
"""


class Rule(LM):
    """Answers by a rule: model 0 writes `answer N` and errs on the largest sums, model 1 writes a sentence."""

    def __init__(self, number):
        super().__init__()
        self.number = number
        self.calls = 0

    def generate_until(self, requests):
        return [self._answer(request.args[0]) for request in requests]

    def _answer(self, context):
        a, b = context.removeprefix("Q: ").removesuffix("?\nA:").split("+")
        total = int(a) + int(b)
        self.calls += 1
        if self.number == 0:
            return f"answer {total if total < 10 else total - 1}"
        return f"It is {total}." if total != 9 else f"answer {total}"

    def loglikelihood(self, requests):
        return [(-(len(r.args[1]) * 0.5 + self.number * ord(r.args[1][1]) / 64), False) for r in requests]

    def loglikelihood_rolling(self, requests):
        raise NotImplementedError


def main():
    with tempfile.TemporaryDirectory() as temporary:
        tasks = Path(temporary)
        for name, rows in (("sums", SUMS), ("capitals", CAPITALS)):
            (tasks / f"{name}.json").write_text("\n".join(json.dumps(row) for row in rows))
        for name, repeats in (("sums", 1), ("sums_twice", 2)):
            text = GENERATION.format(name=name, data=tasks / "sums.json", repeats=repeats)
            (tasks / f"{name}.yaml").write_text(text)
        (tasks / "capitals.yaml").write_text(CHOICE.format(data=tasks / "capitals.json"))
        for number in (0, 1):
            evaluate(Rule(number), f"org/rule-{number}", tasks)


def evaluate(model, name, tasks):
    tracker = EvaluationTracker(output_path=str(FOLDER))
    manager = TaskManager(include_path=str(tasks), include_defaults=False)
    found = simple_evaluate(
        model=model, tasks=["sums", "sums_twice", "capitals"], task_manager=manager, bootstrap_iters=0, log_samples=True
    )
    tracker.general_config_tracker.log_experiment_args(
        "dummy", f"pretrained={name}", None, None, fewshot_as_multiturn=False
    )
    samples = found.pop("samples")
    for config in found["configs"].values():  # no paths of the machine that made the files
        config.pop("dataset_kwargs", None)
        config.pop("metadata", None)
    found = {key: found[key] for key in ("results", "configs", "versions", "n-shot", "higher_is_better", "n-samples")}
    tracker.save_results_aggregated(results=found, samples=samples)
    for task, rows in samples.items():
        tracker.save_results_samples(task_name=task, samples=rows)


if __name__ == "__main__":
    main()
