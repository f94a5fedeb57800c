"""Chat messages as text, for formats whose messages hold tool calls, reasoning or parts of several kinds."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from policycliff.rollouts.formats.shared.values import json_text, valid_text


def transcript(messages: object) -> str:
    r"""Messages as text: of one message its body, of several a line "role: body" each; text stays text.

    >>> transcript([{"role": "assistant", "content": "4"}])
    '4'
    >>> call = {"name": "add", "arguments": "2, 2"}
    >>> transcript([{"role": "assistant", "tool_calls": [call]}, {"role": "assistant", "content": "4"}])
    'assistant: [call add(2, 2)]\nassistant: 4'
    """
    if not isinstance(messages, list):
        return valid_text(_text_of(messages))
    return valid_text(message_body(messages[0]) if len(messages) == 1 else "\n".join(map(message_line, messages)))


def message_line(message: object) -> str:
    """A message as "role: body"."""
    return f"{_role(message)}: {message_body(message)}"


def message_body(message: object) -> str:
    """Reasoning, content and tool calls of one message."""
    if not isinstance(message, Mapping):
        return _text_of(message)
    reasoning = message.get("reasoning_content")
    calls = message.get("tool_calls")
    parts = [
        f"<think>{reasoning}</think>" if isinstance(reasoning, str) and reasoning else "",
        _content(message.get("content")),
        *(_call(call) for call in (calls if isinstance(calls, list) else [])),
    ]
    return "\n".join(part for part in parts if part)


def _role(message: object) -> str:
    role = message.get("role") if isinstance(message, Mapping) else None
    return role if isinstance(role, str) else "unknown"


def _content(content: object) -> str:
    if isinstance(content, Sequence) and not isinstance(content, str):
        return "\n".join(filter(None, map(_part, content)))
    return _text_of(content)


def _part(part: object) -> str:
    """One part of a message's content; what is not text shows as its kind."""
    if not isinstance(part, Mapping):
        return _text_of(part)
    kind = part.get("type")
    if kind == "text":
        return _text_of(part.get("text"))
    if kind == "reasoning":
        text = part.get("summary") if part.get("redacted") else part.get("reasoning")
        return f"<think>{text}</think>" if isinstance(text, str) and text else ""
    return f"[{kind}]" if kind == "tool_use" or not isinstance(kind, str) else f"[{kind} {_text_of(part.get(kind))}]"


def _call(call: object) -> str:
    """A tool call of OpenAI's shape (nested function), of verifiers' (flat), of Inspect's (function is a name)."""
    found: Any = _parsed(call) if isinstance(call, str) else call
    if not isinstance(found, Mapping):
        return f"[call {_text_of(found)}]"
    function = found.get("function")
    inner = function if isinstance(function, Mapping) else found
    name = function if isinstance(function, str) else inner.get("name")
    return f"[call {_text_of(name)}({_text_of(inner.get('arguments'))})]"


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _text_of(value: object) -> str:
    return "" if value is None else json_text(value)
