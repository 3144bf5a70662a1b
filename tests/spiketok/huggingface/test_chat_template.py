import json

import jinja2.sandbox
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spiketok.chat.chatml import render
from spiketok.chat.messages import read_messages
from spiketok.huggingface.chat_template import CHAT_TEMPLATE

text = st.text(max_size=12)
json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), text),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(text, inner, max_size=3)),
    max_leaves=6,
)
objects = st.dictionaries(text, json_values, max_size=3)
functions = st.fixed_dictionaries(
    {"name": text, "arguments": st.one_of(objects, objects.map(json.dumps))}
)
calls = st.one_of(functions, functions.map(lambda call: {"type": "function", "function": call}))


def parts(*kinds):
    return st.lists(
        st.fixed_dictionaries({"type": st.sampled_from(kinds), "text": text}), max_size=3
    )


messages = st.one_of(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["system", "user"]), "content": st.one_of(text, parts("text"))}
    ),
    st.fixed_dictionaries(
        {
            "role": st.just("assistant"),
            "content": st.one_of(text, parts("text", "think", "solution")),
        },
        optional={"reasoning": text, "tool_calls": st.lists(calls, max_size=2)},
    ),
    st.fixed_dictionaries(
        {
            "role": st.just("tool"),
            "content": st.one_of(text, parts("text"), parts("tool_response")),
        }
    ),
)


def raise_exception(message):
    raise jinja2.TemplateError(message)


def with_jinja2():
    """Return what renders the template as `transformers` does."""
    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    environment.filters["tojson"] = lambda value: json.dumps(value, ensure_ascii=False)
    environment.globals["raise_exception"] = raise_exception
    return environment.from_string(CHAT_TEMPLATE).render


def with_minijinja():
    """Return what renders the template as servers written in Rust do."""
    library = pytest.importorskip("minijinja")
    environment = library.Environment(
        trim_blocks=True, lstrip_blocks=True, templates={"chat": CHAT_TEMPLATE}
    )
    environment.add_global("raise_exception", raise_exception)
    return lambda **values: environment.render_template("chat", **values)


@pytest.fixture(scope="module", params=[with_jinja2, with_minijinja])
def rendered(request):
    return request.param()


@settings(deadline=None)
@given(st.lists(messages, max_size=3), st.booleans())
def test_it_renders_what_messages_are(rendered, conversation, prompt):
    wanted = render(read_messages(conversation), prompt)
    assert rendered(messages=conversation, add_generation_prompt=prompt) == wanted


def test_what_engines_escape_in_json_is_written_as_it_is(rendered):
    arguments = {"<&>'": ["<", "\\u003c", "\\\\<", "\\\\u003c'", "\\", "\n", "\\n&"]}
    call = {"name": "a'<b", "arguments": arguments}
    text = rendered(messages=[{"role": "assistant", "tool_calls": [call]}])
    assert json.dumps(arguments) in text
    assert '{"name": "a\'<b"' in text


def test_it_refuses_what_the_format_has_no_place_for(rendered):
    with pytest.raises(Exception, match="developer"):
        rendered(messages=[{"role": "developer", "content": "a"}])
    with pytest.raises(Exception, match="tools"):
        rendered(messages=[], tools=[{"name": "f"}])
