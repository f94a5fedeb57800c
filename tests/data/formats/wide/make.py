"""Write the fixtures of this folder: wide tables as pandas and Hugging Face datasets write them.

Written with pandas 3.1.1 and datasets 5.2.0: `python tests/data/formats/wide/make.py`.
"""

from pathlib import Path

import pandas as pd
from datasets import Dataset

FOLDER = Path(__file__).parent
ARENA = {
    "id": [10, 11, 12],
    "prompt": ["p", "q", "p"],
    "response_a": ["one", "007", "one"],
    "response_b": ["two", "7", "one"],
    "model_a": ["x", "y", "x"],
    "model_b": ["y", "x", "z"],
    "score_a": [1.0, 0.5, 2.0],
    "score_b": [1.0, None, 0.0],
}
NAMED = {
    "question": ["p", "q"],
    "completion_gpt": ["a", "b"],
    "completion_llama": ["c", "d"],
    "gpt_reward": [1, 0],
    "llama_reward": [1, 1],
    "completion_gpt_length": [1, 1],
    "completion_llama_length": [3, 4],
}
LISTS = {
    "prompt": ["p", "q", "r"],
    "completions": [["a", "b", "b"], ["c", "d"], []],
    "accuracy_reward": [[1.0, 0.0, 0.0], [0.0, 0.0], []],
    "format_reward": [[0.5, 0.5, None], None, []],
    "lengths": [[3, 4, 4], [5, 6], []],
    "tokens": [[1, 2], [3], [4]],
    "models": [["x", "y", "x"], ["x", "y"], []],
}


def main():
    pd.DataFrame(ARENA).to_csv(FOLDER / "arena.csv", index=False)
    pd.DataFrame(NAMED).to_parquet(FOLDER / "named.parquet")
    Dataset.from_dict(LISTS).to_json(FOLDER / "lists.jsonl")
    Dataset.from_dict(LISTS).to_parquet(FOLDER / "lists.parquet")


if __name__ == "__main__":
    main()
