"""Jinja chat template, for engines that render text and encode it whole.

Engines disagree about `tojson`: minijinja writes `< > & '` as escapes, transformers as themselves,
as training does. The macro undoes the escapes. Meanwhile two backslashes, which are one of the
text, are a newline, which JSON in one line never has.
"""

CHAT_TEMPLATE = r"""
{%- set markers = {
  "think": ["<think>", "</think>"],
  "solution": ["<begin_solution>", "<end_solution>"],
  "tool_call": ["<tool_call>", "</tool_call>"],
  "tool_response": ["<tool_response>", "</tool_response>"]
} -%}
{%- macro json(value) -%}
  {{- value | tojson | replace("\\\\", "\n") | replace("\\u003c", "<") | replace("\\u003e", ">")
      | replace("\\u0026", "&") | replace("\\u0027", "'") | replace("\n", "\\\\") -}}
{%- endmacro -%}
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
    {{ "<tool_call>{\"name\": " ~ json(call.name) ~ ", \"arguments\": " }}
    {%- if call.arguments is string -%}
      {{ call.arguments }}
    {%- else -%}
      {{ json(call.arguments) }}
    {%- endif -%}
    {{ "}</tool_call>" }}
  {%- endfor -%}
  {{ "<|im_end|>\n" }}
{%- endfor -%}
{%- if add_generation_prompt -%}
  {{ "<|im_start|>assistant\n" }}
{%- endif -%}
"""
