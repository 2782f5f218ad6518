"""Which tokens of a conversation are the assistant's, against transformers' assistant masks.

transformers has masks only for templates with {% generation %} blocks, so each template has a marked
variant here: with the marks our labels must be transformers' mask, and without them they must be the
same. Text and ids are compared along the way."""

import functools
import json
import os
import subprocess
from pathlib import Path

import pytest
from chat_template_test import random_assistant, random_text, random_tool

transformers = pytest.importorskip("transformers")

HERE = Path(__file__).resolve().parent
BIN = Path(os.environ.get("GLADIUS_BIN", HERE.parents[1] / "build/release/bin"))
SHARED = Path(os.environ.get("GLADIUS_SHARED", HERE.parents[2] / "shared"))
CONVERSATIONS = 150  # a template

# Where the marks go: parts of the template, what stands there with them.
MARKS = {
    "llama2": [(
        "{{ ' '  + content.strip() + ' ' + eos_token }}",
        "{% generation %}{{ ' '  + content.strip() + ' ' + eos_token }}{% endgeneration %}",
    )],
    "tinyllama": [(
        "{{ '<|assistant|>\n'  + message['content'] + eos_token }}\n",
        "{{ '<|assistant|>\n' }}{% generation %}{{ message['content'] + eos_token }}\n"
        "{% endgeneration %}\n",
    )],
    "qwen2.5": [(
        "{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}",
        "{{- '<|im_start|>' + message.role + '\\n' }}{%- if message.role == 'assistant' %}"
        "{%- generation %}{{- message.content + '<|im_end|>\\n' }}{%- endgeneration %}"
        "{%- else %}{{- message.content + '<|im_end|>\\n' }}{%- endif %}",
    ), (
        "{{- '<|im_start|>' + message.role }}\n        {%- if message.content %}\n"
        "            {{- '\\n' + message.content }}\n        {%- endif %}",
        "{{- '<|im_start|>' + message.role + '\\n' }}{%- generation %}"
        "{%- if message.content %}{{- message.content }}{%- endif %}",
    ), (
        "{{- '\\n<tool_call>\\n{\"name\": \"' }}",
        "{{- '' if loop.first and not message.content else '\\n' }}"
        "{{- '<tool_call>\\n{\"name\": \"' }}",
    ), (
        "        {{- '<|im_end|>\\n' }}\n    {%- elif message.role == \"tool\" %}",
        "        {{- '<|im_end|>\\n' }}{%- endgeneration %}\n    {%- elif message.role == \"tool\" %}",
    )],
    "qwen3": [(
        "{%- if loop.index0 > ns.last_query_index %}",
        "{{- '<|im_start|>' + message.role + '\\n' }}{%- generation %}"
        "{%- if loop.index0 > ns.last_query_index %}",
    ), (
        "{{- '<|im_start|>' + message.role + '\\n<think>\\n'",
        "{{- '<think>\\n'",
    ), (
        "{{- '<|im_start|>' + message.role + '\\n' + content }}",
        "{{- '' + content }}",
    ), (
        "        {{- '<|im_end|>\\n' }}\n    {%- elif message.role == \"tool\" %}",
        "        {{- '<|im_end|>\\n' }}{%- endgeneration %}\n    {%- elif message.role == \"tool\" %}",
    )],
}


def template(name):
    return (HERE / "templates" / f"{name}.jinja").read_text(encoding="utf-8")


def marked_template(name):
    text = template(name)
    for plain, marked in MARKS[name]:
        assert plain in text, plain
        text = text.replace(plain, marked)
    return text


def random_messages(rng, tools_known):
    """Turns of all kinds, in an order that templates take."""
    messages = []
    if rng.random() < 0.4:
        messages.append({"role": "system", "content": random_text(rng)})
    for _ in range(rng.randrange(1, 5)):
        messages.append({"role": "user", "content": random_text(rng)})
        assistant = random_assistant(rng)
        if not tools_known:
            assistant.pop("tool_calls", None)
            assistant["content"] = assistant["content"] or ""
        messages.append(assistant)
        while tools_known and assistant.get("tool_calls"):
            messages += [{"role": "tool", "content": random_text(rng)} for _ in range(rng.randrange(1, 4))]
            if rng.random() < 0.3:
                break
            assistant = random_assistant(rng)
            messages.append(assistant)
    if rng.random() < 0.3:
        messages.append({"role": "user", "content": random_text(rng)})
    if rng.random() < 0.1:
        del messages[0]  # perhaps the assistant begins
    return messages


def random_conversation(rng, name):
    tools_known = name.startswith("qwen")
    conversation = {"messages": random_messages(rng, tools_known)}
    if tools_known and rng.random() < 0.4:
        conversation["tools"] = [random_tool(rng) for _ in range(rng.randrange(3))]
    return conversation


def tokenizer_of(name):
    directory = SHARED / "data/tokenizers" / ("qwen3" if name.startswith("qwen") else "llama2")
    if not (directory / "tokenizer.json").is_file():
        pytest.skip(f"{directory} is not on this machine: NOT TESTED with this tokenizer")
    return directory


def ours(source, text, conversations, tmp_path):
    """Our answers with the template `text`, one a conversation."""
    directory = tmp_path / "tokenizer"
    directory.mkdir(exist_ok=True)
    for file in ("tokenizer.json", "tokenizer_config.json"):
        if not (directory / file).exists():
            (directory / file).symlink_to(source / file)
    (directory / "chat_template.jinja").write_text(text, encoding="utf-8")
    lines = tmp_path / "conversations.jsonl"
    lines.write_text("".join(json.dumps(c) + "\n" for c in conversations), encoding="utf-8")
    run = subprocess.run([BIN / "encode_chats", directory, lines], capture_output=True, check=True)
    return [json.loads(line) for line in run.stdout.decode().split("\n") if line]


def with_empty_contents(conversation):
    """What we give a template that cannot do without a content beside calls of tools."""
    return {**conversation, "messages": [{**m, "content": ""} if m.get("tool_calls") and m["content"] is None else m
                                         for m in conversation["messages"]]}


def reference(tokenizer, text, conversation):
    """transformers' answer in our form, or None where the template refuses the conversation."""
    return (answer_of(tokenizer, text, conversation)
            or answer_of(tokenizer, text, with_empty_contents(conversation)))


def answer_of(tokenizer, text, conversation):
    try:
        out = tokenizer.apply_chat_template(
            conversation["messages"], tools=conversation.get("tools"), chat_template=text,
            return_assistant_tokens_mask=True, return_dict=True)
        rendered = tokenizer.apply_chat_template(
            conversation["messages"], tools=conversation.get("tools"), chat_template=text, tokenize=False)
    except Exception:  # jinja2, or Python below it: any error is an error of the template
        return None
    ids, mask = out["input_ids"], out["assistant_masks"]
    labels = [i if m else -100 for i, m in zip(ids[1:], mask[1:], strict=True)] + [-100]
    return {"text": rendered, "ids": ids, "labels": labels}


@functools.cache
def load_reference(source):
    config = json.loads((source / "tokenizer_config.json").read_text())
    special = {key: config[key] for key in ("bos_token", "eos_token", "unk_token", "pad_token") if config.get(key)}
    return transformers.PreTrainedTokenizerFast(tokenizer_file=str(source / "tokenizer.json"), **special)


@pytest.mark.parametrize("name", MARKS)
def test_labels_are_transformers_assistant_masks(name, rng, tmp_path):
    source = tokenizer_of(name)
    conversations = [random_conversation(rng, name) for _ in range(CONVERSATIONS)]
    tokenizer = load_reference(source)
    plain_text, marked_text = template(name), marked_template(name)
    plain = ours(source, plain_text, conversations, tmp_path)
    marked = ours(source, marked_text, conversations, tmp_path)
    rendered = 0
    for conversation, without, with_marks in zip(conversations, plain, marked, strict=True):
        expected = reference(tokenizer, marked_text, conversation)
        if expected is None:
            assert "error" in without and "error" in with_marks, (conversation, without, with_marks)
            continue
        keys = ("text", "ids", "labels")
        for answer in (with_marks, without):
            assert {k: answer.get(k) for k in keys} == expected, (conversation, answer)
        assert reference(tokenizer, plain_text, conversation)["text"] == expected["text"]
        rendered += 1
    assert rendered > CONVERSATIONS / 2  # over 300 in all; the rest are errors on both sides


def test_answers_stand_in_the_whole_conversation(tmp_path):
    """The template writes an answer otherwise when it is the last."""
    source = tokenizer_of("qwen3")
    messages = [{"role": role, "content": text} for role, text in
                [("user", "Hi"), ("assistant", "one two three"), ("user", "Hi"), ("assistant", "four")]]
    [answer] = ours(source, template("qwen3"), [{"messages": messages}], tmp_path)
    tokenizer = load_reference(source)
    labels = [label for label in answer["labels"] if label != -100]
    assert tokenizer.decode(labels) == (
        "one two three<|im_end|>\n<think>\n\n</think>\n\nfour<|im_end|>\n")
