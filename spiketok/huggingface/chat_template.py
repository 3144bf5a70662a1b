"""Holds the chat format as a Jinja template, for engines that render text and encode it whole."""

CHAT_TEMPLATE = r"""
{%- set markers = {
  "think": ["<think>", "</think>"],
  "solution": ["<begin_solution>", "<end_solution>"],
  "tool_call": ["<tool_call>", "</tool_call>"],
  "tool_response": ["<tool_response>", "</tool_response>"]
} -%}
{%- if tools or documents -%}
  {{ raise_exception("tools, documents: describe them in a message of the system") }}
{%- endif -%}
{%- for message in messages -%}
  {%- if message.role not in ["system", "user", "assistant", "tool"] -%}
    {{ raise_exception("role " ~ message.role ~ " is unknown") }}
  {%- endif -%}
  {{ "<|im_start|>" ~ message.role ~ "\n" }}
  {%- set thoughts = message.reasoning or message.reasoning_content or message.thinking -%}
  {%- if thoughts -%}
    {{ "<think>" ~ thoughts ~ "</think>" }}
  {%- endif -%}
  {%- set content = message.content or "" -%}
  {%- if content is string -%}
    {%- set content = [{"type": "text", "text": content}] -%}
  {%- endif -%}
  {%- set plain = content | rejectattr("type", "equalto", "text") | list | length == 0 -%}
  {%- if message.role == "tool" and plain -%}
    {{ "<tool_response>" ~ content | map(attribute="text") | join ~ "</tool_response>" }}
  {%- else -%}
    {%- for part in content -%}
      {%- if part.type == "text" -%}
        {{ part.text }}
      {%- else -%}
        {{ markers[part.type][0] ~ part.text ~ markers[part.type][1] }}
      {%- endif -%}
    {%- endfor -%}
  {%- endif -%}
  {%- for call in message.tool_calls or [] -%}
    {%- set call = call.function or call -%}
    {{ "<tool_call>{\"name\": " ~ call.name | tojson ~ ", \"arguments\": " }}
    {%- if call.arguments is string -%}
      {{ call.arguments }}
    {%- else -%}
      {{ call.arguments | tojson }}
    {%- endif -%}
    {{ "}</tool_call>" }}
  {%- endfor -%}
  {{ "<|im_end|>\n" }}
{%- endfor -%}
{%- if add_generation_prompt -%}
  {{ "<|im_start|>assistant\n" }}
{%- endif -%}
"""
