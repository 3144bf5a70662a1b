"""Reads the tool calls of chat messages, and checks that answers come in the order of the calls."""

import json
from collections.abc import Mapping
from typing import Any, NoReturn

from .errors import SpikeError


def tool_call(call: Any, place: str) -> tuple[str, str | None]:
    """Return the text of a call, `{"name": …, "arguments": …}` as JSON, and its id if it has one.

    Arguments that are a text already must be a JSON object, and stay as they are written.
    """
    if not isinstance(call, Mapping):
        raise SpikeError(f"{place}: a {type(call).__name__} instead of an object")
    function = call
    if "function" in call:
        if unknown := sorted(map(str, call.keys() - {"id", "type", "function"})):
            raise SpikeError(f"{place}: unknown key {unknown[0]!r}")
        if call.get("type", "function") != "function":
            raise SpikeError(f"{place}.type: {call['type']!r} instead of 'function'")
        function, place = call["function"], f"{place}.function"
    allowed = {"name", "arguments"} | ({"id", "type"} if function is call else set())
    if not isinstance(function, Mapping) or not {"name", "arguments"} <= function.keys() <= allowed:
        raise SpikeError(f"{place}: must have 'name' and 'arguments', and nothing else")
    name = checked_text(function["name"], f"{place}.name")
    identity = call.get("id")
    if identity is not None:
        checked_text(identity, f"{place}.id")
    arguments = call_arguments(function["arguments"], f"{place}.arguments")
    return f'{{"name": {json.dumps(name, ensure_ascii=False)}, "arguments": {arguments}}}', identity


def call_arguments(arguments: Any, place: str) -> str:
    """Return the arguments of a call as the text of a JSON object."""
    try:
        if isinstance(arguments, str):
            if isinstance(DECODER.decode(arguments), dict):
                return arguments
        elif isinstance(arguments, Mapping):
            return json.dumps(arguments, ensure_ascii=False, allow_nan=False)
    except (ValueError, RecursionError) as error:
        raise SpikeError(f"{place}: not JSON ({error})") from None
    raise SpikeError(f"{place}: neither a JSON object nor the text of one")


def check_answer(item: Mapping[str, Any], open_calls: list[str | None], place: str) -> None:
    """Refuse an answer that does not come in its turn: only the order says what answers what."""
    for key in ("name", "tool_call_id"):
        if item.get(key) is not None:
            checked_text(item[key], f"{place}.{key}")
    expected = open_calls.pop(0) if open_calls else None
    given = item.get("tool_call_id")
    if given is not None and given != expected:
        raise SpikeError(
            f"{place}.tool_call_id: {given!r} is not the id of the next call without answer; "
            "put the answers into the order of the calls"
        )


def checked_text(value: Any, place: str) -> str:
    """Refuse what is not a text."""
    if not isinstance(value, str):
        raise SpikeError(f"{place}: a {type(value).__name__} instead of a text")
    return value


def refuse_constant(name: str) -> NoReturn:
    """Refuse NaN and infinities, which JSON does not know and Python reads."""
    raise ValueError(f"{name} is no JSON")


DECODER = json.JSONDecoder(parse_constant=refuse_constant)
