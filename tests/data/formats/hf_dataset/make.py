"""Write the fixtures of this folder with Hugging Face datasets itself.

Written with datasets 5.2.0 (pyarrow 26.0.1): `python tests/data/formats/hf_dataset/make.py`. `rollouts` has two shards
and a column of an extension type; `pairs` is a preference dataset; `lists` holds lists of completions a row; `splits`
is a `DatasetDict` of one split.
"""

from pathlib import Path

from datasets import Array2D, Dataset, DatasetDict, Features, List, Value

FOLDER = Path(__file__).parent
ROLLOUTS = {
    "prompt": ["1+1?", "1+1?", "2+2?", "2+2?", "2+2?"],
    "completion": ["2", "3", "4", "4", "5"],
    "reward": [1.0, 0.1, 0.7, 0.7, 0.7],
    "model": ["a", "b", "a", "b", "b"],
    "grid": [[[1, 2], [3, 4]]] * 5,
}
FEATURES = Features(
    {
        "prompt": Value("string"),
        "completion": Value("large_string"),
        "reward": Value("float32"),
        "model": Value("string"),
        "grid": Array2D((2, 2), "int32"),
    }
)
MESSAGE = List({"role": Value("string"), "content": Value("string")})
PAIR_FEATURES = Features(
    {
        "prompt": Value("string"),
        "chosen": MESSAGE,
        "rejected": MESSAGE,
        "score_chosen": Value("float64"),
        "score_rejected": Value("float64"),
    }
)


def conversation(prompt, answer):
    return [{"role": "user", "content": prompt}, {"role": "assistant", "content": answer}]


def main():
    rollouts = Dataset.from_dict(ROLLOUTS, features=FEATURES)
    # Rows chosen by indices are written out in their order.
    rollouts.select([4, 3, 2, 1, 0]).select([4, 3, 2, 1, 0]).save_to_disk(FOLDER / "rollouts", num_shards=2)
    pairs = [("Name a colour.", "Blue.", "Seven.", 9.0, 1.5), ("Name a number.", "Two.", "Red.", 4.0, 4.0)]
    columns = {
        "prompt": [prompt for prompt, *_ in pairs],
        "chosen": [conversation(prompt, chosen) for prompt, chosen, *_ in pairs],
        "rejected": [conversation(prompt, rejected) for prompt, _, rejected, *_ in pairs],
        "score_chosen": [pair[3] for pair in pairs],
        "score_rejected": [pair[4] for pair in pairs],
    }
    Dataset.from_dict(columns, features=PAIR_FEATURES).save_to_disk(FOLDER / "pairs")
    lists = {"prompt": ["p", "q"], "responses": [["a", "b", "b"], ["c", "d"]], "scores": [[1.0, 1.0, 0.0], [0.5, 0.25]]}
    Dataset.from_dict(lists).save_to_disk(FOLDER / "lists")
    DatasetDict({"train": rollouts.select(range(2))}).save_to_disk(FOLDER / "splits")


if __name__ == "__main__":
    main()
