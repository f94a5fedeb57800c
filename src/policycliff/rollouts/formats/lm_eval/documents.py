"""One line of an lm-evaluation-harness samples file: a document, what the model made of it, and its metrics."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from policycliff.errors import TableError
from policycliff.rollouts.formats.shared.values import REMEDY, identity, json_text, number_or_none, wrong_type

_MOST_METRICS = 100


@dataclass(frozen=True, slots=True)
class Document:
    """A document under one filter.

    Attributes:
        where: File and line, for errors.
        requests: The arguments of each request: context, then settings of a generation or a continuation.
        responses: The responses to each request, one a repeat.
        metrics: Numbers, by `metric,filter`.
        n_other_metrics: Metrics that are no numbers.
    """

    where: str
    doc_id: str
    doc_hash: str | None
    filter: str
    prompt: str
    requests: tuple[tuple[Any, ...], ...]
    responses: tuple[tuple[Any, ...], ...]
    target: str | None
    metrics: Mapping[str, float | None]
    n_other_metrics: int

    @property
    def n_responses(self) -> int:
        """Responses to all requests together."""
        return sum(len(item) for item in self.responses)

    @property
    def generated(self) -> bool:
        """Whether the model wrote texts; else it gave likelihoods."""
        return len(self.requests[0]) > 1 and isinstance(self.requests[0][1], dict)


def document_of(row: Mapping[str, Any], where: str) -> Document:
    """A line as a document.

    Raises:
        TableError: Something is missing or of another kind; the message says what.
    """
    kind = row.get("filter", "none")
    if not isinstance(kind, str):
        raise wrong_type(kind, "text", f"{where}: 'filter'")
    requests = _requests(row.get("arguments"), where)
    responses = row.get("resps")
    if not isinstance(responses, list) or len(responses) != len(requests) or not all(_is_filled(r) for r in responses):
        raise TableError(
            f"{where}: 'resps' must hold a list of responses for each of {len(requests)} arguments. {REMEDY}"
        )
    names = _metric_names(row)
    named = [name for name in names if isinstance(row.get(name), int | float)]
    if len(named) > _MOST_METRICS:
        raise TableError(f"{where}: {len(named)} metrics of one document; at most {_MOST_METRICS} are read.")
    doc_hash, target = row.get("doc_hash"), row.get("target")
    return Document(
        where=where,
        doc_id=identity(row.get("doc_id"), f"{where}: 'doc_id'"),
        doc_hash=doc_hash if isinstance(doc_hash, str) else None,
        filter=kind,
        prompt=json_text(requests[0][0]),
        requests=requests,
        responses=tuple(tuple(item) for item in responses),
        target=None if target is None else json_text(target),
        metrics={f"{name},{kind}": number_or_none(row[name], f"{where}: {name!r}") for name in named},
        n_other_metrics=len(names) - len(named),
    )


def response_of(document: Document) -> str:
    """What the model wrote; several responses, which lm-eval scores together, are one text, a JSON array."""
    found = [response for responses in document.responses for response in responses]
    return json_text(found[0] if len(found) == 1 else found)


def choices_of(document: Document) -> list[dict[str, str | float | None]]:
    """The choices with their likelihoods, and whether each is right where the target says so.

    Raises:
        TableError: A likelihood is no number.
    """
    requests = _conditional(document.requests)
    contexts = {json_text(request[0]) for request in requests}
    endings = [json_text(request[1]) if len(request) > 1 else "" for request in requests]
    # Where the context holds the choice (winogrande), both together are what competes.
    whole = [json_text(request[0]) + end for request, end in zip(requests, endings, strict=True)]
    texts = endings if len(contexts) == 1 else whole
    right = _right_choice(document.target, [text.strip() for text in endings])
    rows: list[dict[str, str | float | None]] = []
    for position, text in enumerate(texts):
        value = _likelihood(document, position)
        length = len(text.strip())
        rows.append(
            {
                "completion": text,
                "loglikelihood": value,
                "loglikelihood_per_character": value / length if length and len(contexts) == 1 else None,
                "correct": None if right is None else float(position == right),
            }
        )
    return rows


def _requests(arguments: Any, where: str) -> tuple[tuple[Any, ...], ...]:
    """The arguments of every request: objects of objects as written to files, lists in older versions."""
    outer = list(arguments.values()) if isinstance(arguments, dict) else arguments
    inner = [list(item.values()) if isinstance(item, dict) else item for item in outer] if _is_filled(outer) else []
    if not inner or not all(_is_filled(item) for item in inner):
        raise wrong_type(arguments, "the arguments of requests", f"{where}: 'arguments'")
    return tuple(tuple(item) for item in inner)


def _conditional(requests: tuple[tuple[Any, ...], ...]) -> tuple[tuple[Any, ...], ...]:
    """The choices without their repetition on an empty context, which `acc_mutual_info` adds."""
    half, rest = divmod(len(requests), 2)
    repeated = not rest and half > 1 and [r[1:] for r in requests[:half]] == [r[1:] for r in requests[half:]]
    return requests[:half] if repeated and all(request[0] == "" for request in requests[half:]) else requests


def _right_choice(target: str | None, choices: list[str]) -> int | None:
    """The position that the target names, as a number or by its text; None where both are possible or neither is.

    >>> _right_choice("1", ["yes", "no"]), _right_choice("no", ["yes", "no"]), _right_choice("1", ["1", "2"])
    (1, 1, None)
    """
    if target is None:
        return None
    named = {position for position, choice in enumerate(choices) if choice == target.strip()}
    if target.isascii() and target.isdigit() and len(target) < 5 and int(target) < len(choices):
        named.add(int(target))
    return named.pop() if len(named) == 1 else None


def _likelihood(document: Document, position: int) -> float:
    found = document.responses[position][0]
    value = found[0] if _is_filled(found) else found
    try:
        if isinstance(value, str | float | int):
            return float(value)
    except (ValueError, OverflowError):
        pass
    raise wrong_type(value, "a number", f"{document.where}: the likelihood of choice {position + 1}")


def _metric_names(row: Mapping[str, Any]) -> list[str]:
    """The metrics that a line lists; without a list, as in old versions, every number in it."""
    listed = row.get("metrics")
    if isinstance(listed, list):
        return [name for name in dict.fromkeys(item for item in listed if isinstance(item, str)) if name != "bypass"]
    return [name for name, value in row.items() if isinstance(value, int | float) and name != "doc_id"]


def _is_filled(value: Any) -> bool:
    return isinstance(value, list) and bool(value)
