"""Write the Inspect logs of this folder with inspect_ai and its mock model, and what its own reader says of them.

inspect_ai 0.3.285, Python 3.11: `pip install inspect_ai==0.3.285 && python make.py`. Each log is small because the
transcript's events are dropped after the run; all else is as Inspect wrote it. The mock model counts tokens with
tiktoken, whose vocabulary is downloaded: a count of words stands in for it.
"""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import inspect_ai
from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.log import EvalLog, read_eval_log, write_eval_log
from inspect_ai.model import Model, ModelOutput, get_model
from inspect_ai.model._providers import mockllm
from inspect_ai.scorer import Score, Target, accuracy, includes, match, mean, scorer, value_to_float
from inspect_ai.solver import TaskState, generate

HERE = Path(__file__).parent
ANSWERS = {
    "small": {
        "two": ["4", "I think 4", "5"],
        "seven": ["7", "seven", "7 or so"],
        "nine": ["9", "9", "9"],
    },
    "large": {
        "two": ["4", "4", "4"],
        "seven": ["7", "7", "8"],
        "nine": ["10", "11", "RAISE"],
    },
}


def main() -> None:
    """Write a Zstandard log, one in JSON, and the expected rows."""
    expected = {}
    for name, suffix in (("small", "eval"), ("large", "eval"), ("small", "json")):
        path = HERE / f"{name}.{suffix}"
        write_eval_log(_log(name), str(path), format=suffix)
        expected[path.name] = _rows(read_eval_log(str(path)))
    (HERE / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


@scorer(metrics={"words": [mean()], "grade": [mean()]})
def style():
    """Two scores at once: a count of words, and a grade as a letter."""

    async def score(state: TaskState, target: Target) -> Score:
        words = state.output.completion.split()
        if "RAISE" in words:
            raise ValueError("no score for this")
        return Score(value={"words": len(words), "grade": "P" if len(words) > 1 else "C"})

    return score


@scorer(metrics=[accuracy()])
def judge():
    """A score that some samples lack: NaN is how Inspect says so."""

    async def score(state: TaskState, target: Target) -> Score:
        return Score.unscored() if state.sample_id == "nine" else Score(value=state.output.completion == target.text)

    return score


@task
def sums() -> Task:
    """Three sums."""
    samples = [
        Sample(id="two", input="2+2?", target="4"),
        Sample(id="seven", input="3+4?", target="7"),
        Sample(id="nine", input="4+5?", target="9"),
    ]
    scorers = [match(), includes(), style(), judge()]
    return Task(dataset=MemoryDataset(samples), solver=generate(), scorer=scorers, epochs=3, name="sums")


def _log(name: str) -> EvalLog:
    with TemporaryDirectory() as folder:
        model = _model(name)
        log = inspect_ai.eval(
            sums(), model=model, log_dir=folder, display="none", max_samples=1, max_connections=1, fail_on_error=False
        )[0]
        full = read_eval_log(log.location)
    for sample in full.samples or []:
        sample.events, sample.attachments, sample.events_data, sample.timelines = [], {}, None, None
        if sample.error:
            sample.error.traceback = sample.error.traceback_ansi = "..."
    full.eval.model_args, full.eval.task_file = {}, "make.py"
    full.eval.packages = {"inspect_ai": "0.3.285"}
    full.eval.revision = None
    full.results, full.reductions, full.error = None, None, None
    return full


def _model(name: str) -> Model:
    """The mock model, which answers each question with its answers in turn."""
    left = {question: list(answers) for question, answers in ANSWERS[name].items()}
    questions = {"2+2?": "two", "3+4?": "seven", "4+5?": "nine"}

    def answer(messages, *_others) -> ModelOutput:
        text = left[questions[messages[-1].text]].pop(0)
        return ModelOutput.from_content(f"mockllm/{name}", text)

    return get_model(f"mockllm/{name}", custom_outputs=answer)


def _rows(log: EvalLog) -> list[dict]:
    """What Inspect's own reader and its `value_to_float` make of the log."""
    to_float = value_to_float()
    rows = []
    for sample in log.samples or []:
        scores = {}
        for key, score in (sample.scores or {}).items():
            values = score.value if isinstance(score.value, dict) else {"": score.value}
            for part, value in values.items():
                number = to_float(value)
                scores[f"{key}.{part}" if part else key] = None if number != number else number
        rows.append(
            {
                "id": sample.id,
                "epoch": sample.epoch,
                "input": sample.input,
                "completion": sample.output.completion,
                "model": log.eval.model,
                "output_tokens": sample.model_usage[log.eval.model].output_tokens,
                "error": sample.error is not None,
                "scores": scores,
            }
        )
    return rows


async def _count_words(_self, text: str) -> int:
    return len(text.split())


if __name__ == "__main__":
    mockllm.MockLLM.count_text_tokens = _count_words
    main()
