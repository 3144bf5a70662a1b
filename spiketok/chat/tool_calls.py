"""Tool calls of chat messages: read calls, and check that answers come in their order.

Errors begin with the place in the call or message, such as `.function.name`.
"""

import json
from typing import Any

from ..errors import SpikeError, parse_fault
from ..json_values import checked, raise_no_json, shown

ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False)
KEYS_AROUND_FUNCTION = {"id", "type", "function"}


def read_call(call: Any) -> tuple[str, str | None]:
    """Read a call: its text, `{"name": …, "arguments": …}` as JSON, and its id if it has one.

    Arguments that are a text already must be a JSON object, and stay as they are written.

    Raises:
        SpikeError: the call is malformed.
    """
    call = function = without_nulls(checked(call, dict, ""))
    place = ""
    if "function" in call:
        function, place = call["function"], ".function"
        if isinstance(function, dict):
            function = without_nulls(function)
        if not call.keys() <= KEYS_AROUND_FUNCTION:
            raise SpikeError(": has a key beside 'function', 'id' and 'type'; remove it")
    if not isinstance(function, dict) or function.keys() - {"id", "type"} != {"name", "arguments"}:
        raise SpikeError(
            f"{place}: is not an object of 'name' and 'arguments'; write exactly these keys"
        )
    if call.get("type") not in (None, "function"):
        raise SpikeError(f".type: is {shown(call['type'])}; write 'function'")
    if (identity := call.get("id")) is not None:
        checked(identity, str, ".id")
    name = ENCODER.encode(checked(function["name"], str, f"{place}.name"))
    arguments = call_arguments(function["arguments"], f"{place}.arguments")
    return f'{{"name": {name}, "arguments": {arguments}}}', identity


def without_nulls(item: dict[str, Any]) -> dict[str, Any]:
    """Return an object without its keys that are null."""
    return {key: value for key, value in item.items() if value is not None}


def call_arguments(arguments: Any, place: str) -> str:
    """Return the arguments of a call as the text of a JSON object.

    Raises:
        SpikeError: they are not a JSON object.
    """
    try:
        if isinstance(arguments, dict):
            return ENCODER.encode(arguments)
        # Not by a shared decoder: it could not be pickled with the exported class.
        if isinstance(arguments, str) and isinstance(
            json.loads(arguments, parse_constant=raise_no_json), dict
        ):
            return arguments
    except (ValueError, RecursionError) as error:
        raise SpikeError(
            f"{place}: is not JSON ({parse_fault(error)}); write a JSON object"
        ) from None
    raise SpikeError(f"{place}: is neither a JSON object nor the text of one; write one of them")


def check_answer(item: dict[str, Any], open_calls: list[str | None]) -> None:
    """Check that an answer belongs to the next open call: only the order pairs them.

    Raises:
        SpikeError: the answer names another call.
    """
    for key in ("name", "tool_call_id"):
        if item.get(key) is not None:
            checked(item[key], str, f".{key}")
    expected = open_calls.pop(0) if open_calls else None
    given = item.get("tool_call_id")
    if given is not None and given != expected:
        raise SpikeError(
            f".tool_call_id: {given!r} is not the id of the next call without answer; "
            "put the answers into the order of the calls"
        )
