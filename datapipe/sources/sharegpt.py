"""ShareGPT turns, `{"from": speaker, "value": text}`, as chat messages."""

import json
from typing import Any

from spiketok.chat.loss_mask import ASSISTANT
from spiketok.chat.messages import TRAINED
from spiketok.errors import SpikeError, parse_fault
from spiketok.json_values import checked, checked_name

SPEAKERS = {
    "system": "system",
    "human": "user",
    "user": "user",
    "gpt": ASSISTANT,
    "assistant": ASSISTANT,
    "function_call": ASSISTANT,
    "tool": "tool",
    "observation": "tool",
    "function_response": "tool",
}
CALL_SPEAKER = "function_call"
# Further keys that a turn with `from` and `value` may have.
FURTHER_KEYS = {"name", "reasoning", "reasoning_content", "thinking", "tool_calls", *TRAINED}


def shared_turn(turn: dict[str, Any]) -> dict[str, Any]:
    """Convert a turn of ShareGPT's shape to the keys of a message.

    Raises:
        SpikeError: it is malformed.
    """
    others = {key: value for key, value in turn.items() if key not in ("from", "value")}
    if unknown := sorted(map(str, others.keys() - FURTHER_KEYS)):
        raise SpikeError(
            f": has unknown keys beside 'from' and 'value'; remove {', '.join(unknown)}"
        )
    if not {"from", "value"} <= turn.keys():
        raise SpikeError(": lacks 'from' or 'value'; write both")
    speaker = checked_name(turn["from"], SPEAKERS, ".from")
    text = checked(turn["value"], str, ".value")
    if speaker != CALL_SPEAKER:
        return {"role": SPEAKERS[speaker], "content": text, **others}
    try:
        calls = json.loads(text)
    except (ValueError, RecursionError) as error:
        fault = f"is not JSON ({parse_fault(error)})"
        raise SpikeError(f".value: {fault}; write a call in JSON") from None
    calls = calls if isinstance(calls, list) else [calls]
    return {"role": ASSISTANT, "tool_calls": calls, **others}
