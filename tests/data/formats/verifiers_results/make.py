"""Write the `results.jsonl` of this folder with verifiers' own evaluation code and a client that answers from a list.

    pip install verifiers==0.3.1 && python make.py new
    pip install verifiers==0.1.9 && python make.py old

Up to 0.1.9 or so the metrics stand flat in a row; later they are also in `metrics`. Run under Python 3.11.
"""

import asyncio
import json
import sys
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import verifiers as vf
from datasets import Dataset

HERE = Path(__file__).parent
ANSWERS = {"2+2?": ["4", "4", "it is 4", "5"], "3+4?": ["7", "eight", "it is 7", "FAIL"]}


def correct(completion, answer, **_others) -> float:
    """The last message is the answer."""
    return float(completion[-1]["content"] == answer)


def short(completion, **_others) -> float:
    """One over the number of words."""
    return 1.0 / len(completion[-1]["content"].split())


class Answers:
    """Stands in for `openai.AsyncOpenAI`: each question is answered by its answers in turn."""

    def __init__(self) -> None:
        self.left = {question: list(answers) for question, answers in ANSWERS.items()}
        self.numbers = count()
        self.chat = SimpleNamespace(completions=SimpleNamespace(create=self.create))
        self.base_url = "http://localhost"

    async def create(self, *, messages, model, **_others):
        """A chat completion of OpenAI's own type."""
        from openai.types.chat import ChatCompletion

        text = self.left[messages[-1]["content"]].pop(0)
        if text == "FAIL":
            raise RuntimeError("no answer")
        message = {"role": "assistant", "content": text}
        return ChatCompletion.model_validate(
            {
                "id": f"answer-{next(self.numbers)}",
                "created": 0,
                "model": model,
                "object": "chat.completion",
                "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
                "usage": {"prompt_tokens": 3, "completion_tokens": len(text.split()), "total_tokens": 9},
            }
        )

    async def post(self, path, *, body, **_others):
        """The same as an HTTP response, as 0.3 asks for it."""
        return SimpleNamespace(content=(await self.create(**body)).model_dump_json().encode())


def environment() -> vf.SingleTurnEnv:
    """Two sums, two reward functions with weights 1 and 0.25."""
    rows = {"question": list(ANSWERS), "answer": ["4", "7"]}
    rubric = vf.Rubric(funcs=[correct, short], weights=[1.0, 0.25])
    return vf.SingleTurnEnv(dataset=Dataset.from_dict(rows), rubric=rubric, env_id="sums")


def new() -> None:
    """0.3.1: through `Environment.evaluate`, which saves each rollout as it ends."""
    from verifiers.clients import OpenAIChatCompletionsClient

    with TemporaryDirectory() as folder:
        client = OpenAIChatCompletionsClient(Answers())
        asyncio.run(
            environment().evaluate(
                client, "toy/model", rollouts_per_example=4, max_concurrent=1, results_path=Path(folder),
                save_results=True, independent_scoring=True, on_progress=[],
            )
        )  # fmt: skip
        _keep(Path(folder), "new")


def old() -> None:
    """0.1.9: the dataset that `vf-eval --save-results` writes."""
    from verifiers.utils.eval_utils import save_rollout_results

    ANSWERS["3+4?"][-1] = "8"
    with TemporaryDirectory() as folder:
        results = asyncio.run(
            environment().evaluate(
                Answers(), "toy/model", rollouts_per_example=4, max_concurrent=1, results_path=Path(folder)
            )
        )
        save_rollout_results(results)
        _keep(Path(folder), "old")


def _keep(folder: Path, name: str) -> None:
    """Copy the run's files; clocks and the machine's versions say nothing here."""
    (HERE / name).mkdir(exist_ok=True)
    rows = [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]
    for row in rows:
        if "timing" in row:
            row["timing"] = {"start_time": 0.0, "total": 0.0}
        row.pop("long_error_chain", None)
        if isinstance(row.get("error"), dict):
            row["error"]["error_chain_str"] = "..."
    (HERE / name / "results.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    metadata = json.loads((folder / "metadata.json").read_text())
    kept = {key: metadata[key] for key in ("env_id", "model", "num_examples", "rollouts_per_example", "avg_reward")}
    (HERE / name / "metadata.json").write_text(json.dumps(kept, indent=1) + "\n")


if __name__ == "__main__":
    {"new": new, "old": old}[sys.argv[1]]()
