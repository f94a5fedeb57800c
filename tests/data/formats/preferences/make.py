"""Write the fixtures of this folder with Hugging Face datasets, and what TRL makes of them.

Written with datasets 5.2.0 and trl 1.16.0: `python tests/data/formats/preferences/make.py`.
`expected.json` holds, for the files without a prompt column, what `trl.extract_prompt` takes for prompt and answers.
"""

import json
from pathlib import Path

import trl
from datasets import Dataset
from trl import extract_prompt

FOLDER = Path(__file__).parent


def conversation(*turns):
    return [{"role": role, "content": content} for role, content in turns]


def scored():
    """As `ultrafeedback_binarized`: a prompt beside whole conversations, with scores."""
    rows = [
        ("Name a colour.", "Blue.", "Seven.", 9.0, 1.5),
        ("Name a number.", "Two.", "Red.", 4.0, 4.0),
        ("Name a colour.", "Seven.", "A colour.", 3.5, 2.0),
    ]
    return [
        {
            "prompt": prompt,
            "prompt_id": f"id{number}",
            "chosen": conversation(("user", prompt), ("assistant", chosen)),
            "rejected": conversation(("user", prompt), ("assistant", rejected)),
            "messages": conversation(("user", prompt), ("assistant", chosen)),
            "score_chosen": high,
            "score_rejected": low,
        }
        for number, (prompt, chosen, rejected, high, low) in enumerate(rows)
    ]


def implicit():
    """Whole conversations without a prompt column, of one turn and of two."""
    first = (("user", "What colour is the sky?"),)
    second = (("system", "Be brief."), ("user", "Hello"), ("assistant", "Hi."), ("user", "Count to two."))
    return [
        {
            "chosen": conversation(*before, ("assistant", chosen)),
            "rejected": conversation(*before, ("assistant", rejected)),
        }
        for before, chosen, rejected in [(first, "Blue.", "Green."), (second, "One, two.", "Two.")]
    ]


def texts():
    """Conversations as one text, as in `hh-rlhf`, and plain ones."""
    hello = "\n\nHuman: Hello\n\nAssistant: Hi\n\nHuman: Sum of 2 and 3?\n\nAssistant:"
    return [
        {"chosen": f"{hello} It is 5.", "rejected": f"{hello} No idea."},
        {"chosen": "The sky is blue.", "rejected": "The sky is green."},
    ]


def main():
    Dataset.from_list(scored()).to_parquet(FOLDER / "scored.parquet")
    Dataset.from_list(implicit()).to_json(FOLDER / "implicit.jsonl")
    Dataset.from_list(texts()).to_json(FOLDER / "texts.jsonl")
    plain = [{"prompt": "p", "chosen": "a", "rejected": "b"}, {"prompt": "q", "chosen": "42", "rejected": "007"}]
    Dataset.from_list(plain).to_csv(FOLDER / "plain.csv", index=False)
    expected = {
        name: [extract_prompt(row) for row in rows] for name, rows in (("implicit", implicit()), ("texts", texts()))
    }
    text = json.dumps({"trl": trl.__version__, **expected}, indent=1)
    (FOLDER / "expected.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
