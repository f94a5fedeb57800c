"""One line of a NeMo-RL rollout file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from policycliff.errors import TableError
from policycliff.rollouts.formats.shared.messages import message_body
from policycliff.rollouts.formats.shared.values import REMEDY, as_object, number_or_none, wrong_type


@dataclass(frozen=True, slots=True)
class Line:
    """A sample.

    Attributes:
        messages: The texts of all its messages.
        prompt_messages: How many of them are the prompt, as far as the line tells.
        messages_after: How many follow the last one that the policy wrote, as far as the line tells.
        prompt_key: Equal for equal prompts, None where the line does not tell.
        values: Numbers, and the name of the agent.
    """

    messages: list[str]
    prompt_messages: int
    messages_after: int
    prompt_key: str | None
    values: dict[str, float | str | None]


def read_line(row: Mapping[str, Any], where: str) -> Line:
    """A line as texts and numbers.

    >>> read_line({"content": [["2+2?", "4"]], "rewards": [1.0]}, "line 1").prompt_messages
    1

    Raises:
        TableError: A key is missing or holds another type; `where` says in which line.
    """
    for key in ("content", "rewards"):
        if key not in row:
            raise TableError(f"{where}: no {key!r}. NeMo-RL's train_data_step*.jsonl has it in every line.")
    content = _only(row["content"], "content", where)
    mask, tokens = _numbers(row, "token_loss_mask", where), _numbers(row, "token_ids", where)
    length = _scalar(row, "input_lengths", where)
    if mask is not None and length is not None and 0 <= length < len(mask):
        mask = mask[: int(length)]
    messages, prompts, after = _messages(content, mask, where)
    start = None if mask is None else _first(mask)
    prompt_key = "\n".join(messages[:prompts]) if prompts else None
    if tokens is not None and start is not None:
        prompt_key = ",".join(str(token) for token in tokens[:start])
    values: dict[str, float | str | None] = {
        "rewards": _scalar(row, "rewards", where),
        "filtered_rewards": _scalar(row, "filtered_rewards", where),
        "advantages": _advantage(row, mask, where),
        "input_lengths": length,
        "sample_loss_mask": _scalar(row, "sample_loss_mask", where),
        "generated_tokens": None if mask is None else float(sum(value != 0.0 for value in mask)),
        "agent": _agent(row),
    }
    return Line(messages, prompts, after, prompt_key, values)


def _messages(content: Any, mask: Sequence[int | float] | None, where: str) -> tuple[list[str], int, int]:
    """The texts of the messages, how many are the prompt, and how many follow the last of the policy."""
    if isinstance(content, str):
        return [content], 0, 0
    if not isinstance(content, list):
        raise wrong_type(content, "a list of one list of messages", f"{where}: 'content'")
    texts = [message_body(item) for item in content]
    roles = [item.get("role") if isinstance(item, Mapping) else None for item in content]
    if "assistant" in roles:
        return texts, roles.index("assistant"), roles[::-1].index("assistant")
    if mask is None or _first(mask) is None:
        return texts, min(len(texts), 1), 0
    between, after = _counted(mask)
    # An empty observation has no token that the mask could show.
    hidden = int(not after and len(texts) > 2 and not texts[-1])
    return texts, max(len(texts) - between - after - hidden, 1), after


def _counted(mask: Sequence[int | float]) -> tuple[int, int]:
    """Messages from the first that was generated to the last, and those that follow.

    Generated messages alternate with one of the environment; what comes before the first of them is the prompt.

    >>> _counted([0.0, 0.0, 1.0, 1.0, 0.0])  # prompt, answer, environment
    (1, 1)
    """
    answers = sum(value != 0.0 for value, _ in groupby(mask))
    return 2 * answers - 1, int(mask[-1] == 0.0)


def _first(mask: Sequence[int | float]) -> int | None:
    return next((position for position, value in enumerate(mask) if value != 0.0), None)


def _advantage(row: Mapping[str, Any], mask: Sequence[int | float] | None, where: str) -> float | None:
    """The advantage of a sample, None where its tokens have different ones."""
    if mask is None or not isinstance(_only(row.get("advantages"), "advantages", where), list):
        return _scalar(row, "advantages", where)
    values = _numbers(row, "advantages", where) or []
    generated = {value for value, used in zip(values, mask, strict=False) if used != 0.0}
    return number_or_none(generated.pop(), f"{where}: 'advantages'") if len(generated) == 1 else None


def _agent(row: Mapping[str, Any]) -> str | None:
    found = row.get("agent_ref")
    agent = found[0] if isinstance(found, list) and found else None
    name = as_object(agent).get("name")
    return name if isinstance(name, str) else None


def _scalar(row: Mapping[str, Any], key: str, where: str) -> float | None:
    value = _only(row.get(key), key, where)
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return number_or_none(value, f"{where}: {key!r}")


def _numbers(row: Mapping[str, Any], key: str, where: str) -> list[int | float] | None:
    """A number a token, None where there is no such key. There may be tens of thousands: no loop over them here."""
    value = _only(row.get(key), key, where)
    if value is None:
        return None
    if not isinstance(value, list):
        raise wrong_type(value, "a list of one list of numbers", f"{where}: {key!r}")
    wrong = sorted(kind.__name__ for kind in set(map(type, value)) - {int, float, bool})
    if wrong:
        raise TableError(f"{where}: {key!r} must hold numbers, got {wrong[0]}. {REMEDY}")
    return value


def _only(value: Any, key: str, where: str) -> Any:
    """The value in a list of one; a value that is no list stays, an empty list is nothing."""
    if not isinstance(value, list):
        return value
    if len(value) > 1:
        raise TableError(f"{where}: {key!r} must be a list of one value, got {len(value)}: one line is one sample.")
    return value[0] if value else None
