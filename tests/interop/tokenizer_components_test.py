"""Each component of a tokenizer.json that byte pair encoding is used with, against tokenizers."""

import json

import pytest
import tokenizers
from tokenizer_test import check_texts
from tokenizer_texts import INVALID, WORDS, corpus, random_unicode

# What cases are folded, marks stripped and characters composed from.
FOLDED = ["İstanbul", "ß", "ẞ", "ΣΑΣ", "όσος", "ǅ", "Ǆ", "ﬀ", "Å", "\u1e9e", "\ua7da", "\U00010d50", "e\u0301\u0323",
          "\u0958", "\ufdfa", "㋿", "①", "ｶﾞ", "한글", "\u1112\u1161\u11ab", "\u09c7\u09be", "a\u0301\u0300b", "\u1e9b\u0323",
          "¿?", "«x»", "―", "、。", "$+<", "`^~", "_", "\u166d", "٣", "½", "Ⅷ", "\u0bf0", "\u00b2", "\U0001d7d8",
          "\u200b", "\ufeff", "\u2581x", "\u00ad", "\u0001\u0007", "\u0085", "\u200d", "\u3000", "'s", "x  y", "##a", "a</w>"]


def byte_fallback_model(rng):
    """Ids show each byte of the normalized text; merges over letters and spaces show the words."""
    pieces = ["<unk>", *(f"<0x{byte:02X}>" for byte in range(256))]
    pieces += dict.fromkeys(" abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,'-_\u2581\u0120#/<>e")
    return with_merges(rng, pieces, list(pieces[257:]), byte_fallback=True, unk_token="<unk>")


def byte_level_model(rng):
    pieces = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    return with_merges(rng, pieces, list("etaoinshrdlu0123456789\u0120\u0120\u0120"))


def with_merges(rng, pieces, mergeable, count=300, **options):
    merges, known = [], set(pieces)
    while len(merges) < count:
        left, right = rng.choice(mergeable), rng.choice(mergeable)
        if len(left + right) <= 4 and left + right not in known:
            merges.append([left, right])
            known.add(left + right)
            pieces = [*pieces, left + right]
            mergeable.append(left + right)
    return {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
            "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
            **options, "vocab": {piece: i for i, piece in enumerate(pieces)}, "merges": merges}


def tokenizer_json(model, **components):
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [],
            "normalizer": None, "pre_tokenizer": None, "post_processor": None, "decoder": None,
            **components, "model": model}


def texts_for(rng, count):
    words = WORDS + FOLDED
    texts = corpus(rng, 25 * count, invalid=0.2, words=words)[:count // 2]
    texts += [random_unicode(rng).encode() for _ in range(count // 4)]
    texts += [rng.choice(["", " "]).join(rng.choices(FOLDED, k=rng.randint(1, 6))).encode()
              for _ in range(count // 4)]
    return [b"", b" ", b"  ", b"a", "\u0301".encode(), rng.choice(INVALID), *texts]


def check(config, rng, tmp_path, count=240, special=True):
    file = tmp_path / "tokenizer.json"
    file.write_text(json.dumps(config))
    check_texts(file, tokenizers.Tokenizer.from_file(str(file)), texts_for(rng, count), tmp_path,
                special=special)


def sequence(member, *components):
    return {"type": "Sequence", member: list(components)}


def replace(pattern, content):
    return {"type": "Replace", "pattern": pattern, "content": content}


BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": True}
NORMALIZERS = {
    **{name: {"type": name} for name in ("NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Nmt",
                                         "ByteLevel")},
    **{f"Strip-{left}-{right}": {"type": "Strip", "strip_left": left, "strip_right": right}
       for left in (False, True) for right in (False, True)},
    "Prepend": {"type": "Prepend", "prepend": "▁"},
    "Replace-string": replace({"String": " "}, "▁"),
    "Replace-regex": replace({"Regex": r"\s+|[aeiou]"}, "_"),
    "Replace-nothing": replace({"Regex": r"\d"}, ""),
    "accents": sequence("normalizers", {"type": "NFD"}, {"type": "StripAccents"}, {"type": "Lowercase"}),
    "compatible": sequence("normalizers", {"type": "NFKD"}, {"type": "Lowercase"}, {"type": "NFC"},
                           {"type": "Strip", "strip_left": True, "strip_right": True}),
    "spaces": sequence("normalizers", {"type": "Nmt"}, {"type": "NFKC"}, replace({"Regex": " {2,}"}, " "),
                       {"type": "Prepend", "prepend": "▁"}),
}
BEHAVIORS = ("Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous")


def split(pattern, behavior, invert=False):
    return {"type": "Split", "pattern": pattern, "behavior": behavior, "invert": invert}


def metaspace(scheme, split):
    return {"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": split}


PRE_TOKENIZERS = {
    **{name: {"type": name} for name in ("Whitespace", "WhitespaceSplit", "BertPreTokenizer")},
    **{f"Punctuation-{name}": {"type": "Punctuation", "behavior": name} for name in BEHAVIORS},
    "Punctuation": {"type": "Punctuation"},
    **{f"Split-string-{name}-{invert}": split({"String": "e"}, name, invert)
       for name in BEHAVIORS for invert in (False, True)},
    **{f"Split-regex-{name}-{invert}": split({"Regex": r"\s|\p{N}{1,3}|\w(?=\p{P})"}, name, invert)
       for name in BEHAVIORS for invert in (False, True)},
    **{f"Digits-{individual}": {"type": "Digits", "individual_digits": individual}
       for individual in (False, True)},
    **{f"Metaspace-{scheme}-{split}": metaspace(scheme, split)
       for scheme in ("always", "first", "never") for split in (False, True)},
    **{f"ByteLevel-{prefix}-{regex}": {**BYTE_LEVEL, "add_prefix_space": prefix, "use_regex": regex}
       for prefix in (False, True) for regex in (False, True)},
    "CharDelimiterSplit": {"type": "CharDelimiterSplit", "delimiter": "e"},
    "FixedLength": {"type": "FixedLength", "length": 3},
    "metaspace-after-split": sequence("pretokenizers", {"type": "WhitespaceSplit"}, metaspace("first", True)),
    "bert-after-split": sequence("pretokenizers", split({"String": "a"}, "Removed"), metaspace("first", False),
                                 {"type": "Punctuation", "behavior": "Isolated"}),
    "digits-and-words": sequence("pretokenizers", {"type": "Digits", "individual_digits": True},
                                 {"type": "WhitespaceSplit"}, {"type": "FixedLength", "length": 2}),
}
DECODERS = {
    "none": None,
    **{name: {"type": name} for name in ("ByteFallback", "Fuse")},
    "ByteLevel": BYTE_LEVEL,
    **{f"Metaspace-{scheme}": metaspace(scheme, True) for scheme in ("always", "first", "never")},
    "Replace-string": replace({"String": "e"}, " E "),
    "Replace-regex": replace({"Regex": r"[aeiou]+|\s"}, "<>"),
    "Replace-nothing": replace({"String": "▁"}, ""),
    # (With both the reference panics on a token of nothing else.)
    "Strip-start": {"type": "Strip", "content": "a", "start": 2, "stop": 0},
    "Strip-stop": {"type": "Strip", "content": "a", "start": 0, "stop": 1},
    "BPEDecoder": {"type": "BPEDecoder", "suffix": "e"},
    **{f"WordPiece-{cleanup}": {"type": "WordPiece", "prefix": "#", "cleanup": cleanup}
       for cleanup in (False, True)},
    **{f"CTC-{cleanup}": {"type": "CTC", "pad_token": "<unk>", "word_delimiter_token": "_", "cleanup": cleanup}
       for cleanup in (False, True)},
    "llama": sequence("decoders", replace({"String": "▁"}, " "), {"type": "ByteFallback"}, {"type": "Fuse"},
                      {"type": "Strip", "content": " ", "start": 1, "stop": 0}),
    "mixed": sequence("decoders", {"type": "ByteFallback"}, replace({"Regex": "[#_]"}, ""),
                      {"type": "WordPiece", "prefix": "##", "cleanup": True}),
}


@pytest.mark.parametrize("name", NORMALIZERS)
def test_normalizer(name, rng, tmp_path):
    check(tokenizer_json(byte_fallback_model(rng), normalizer=NORMALIZERS[name],
                         decoder={"type": "ByteFallback"}), rng, tmp_path)


@pytest.mark.parametrize("name", PRE_TOKENIZERS)
def test_pre_tokenizer(name, rng, tmp_path):
    check(tokenizer_json(byte_fallback_model(rng), pre_tokenizer=PRE_TOKENIZERS[name],
                         decoder={"type": "ByteFallback"}), rng, tmp_path)


@pytest.mark.parametrize("name", DECODERS)
def test_decoder(name, rng, tmp_path):
    model = byte_fallback_model(rng) if rng.random() < 0.7 else byte_level_model(rng)
    level = {**BYTE_LEVEL, "add_prefix_space": rng.random() < 0.5}
    check(tokenizer_json(model, decoder=DECODERS[name], pre_tokenizer=rng.choice([level, None])), rng, tmp_path)


def test_random_pipelines(rng, tmp_path):
    def some(member, components):
        chosen = rng.choices(list(components.values()), k=rng.randint(0, 3))
        return sequence(member, *chosen) if chosen else None

    # At an empty token Strip-stop panics in the reference.
    decoders = {name: value for name, value in DECODERS.items()
                if value and name != "Strip-stop"}
    for _ in range(40):
        config = tokenizer_json(byte_fallback_model(rng), normalizer=some("normalizers", NORMALIZERS),
                                pre_tokenizer=some("pretokenizers", PRE_TOKENIZERS),
                                decoder=some("decoders", decoders))
        print(json.dumps({key: value for key, value in config.items() if key != "model"}))
        check(config, rng, tmp_path, count=60)


POST_PROCESSORS = {
    "BertProcessing": {"type": "BertProcessing", "sep": ["b", 3], "cls": ["a", 2]},
    **{f"RobertaProcessing-{trims}-{prefix}": {
        "type": "RobertaProcessing", "sep": ["b", 3], "cls": ["a", 2], "trim_offsets": trims,
        "add_prefix_space": prefix} for trims in (False, True) for prefix in (False, True)},
    **{f"ByteLevel-{trims}-{prefix}": {**BYTE_LEVEL, "trim_offsets": trims, "add_prefix_space": prefix}
       for trims in (False, True) for prefix in (False, True)},
}


@pytest.mark.parametrize("name", POST_PROCESSORS)
def test_post_processor(name, rng, tmp_path):
    level = {**BYTE_LEVEL, "add_prefix_space": rng.random() < 0.5}
    check(tokenizer_json(byte_level_model(rng), pre_tokenizer=level, decoder=level,
                         post_processor=POST_PROCESSORS[name]), rng, tmp_path, special=rng.random() < 0.7)


def test_smollm2s_kind(rng, tmp_path):
    """Digits one by one, then GPT-2's expression; 2,000 texts."""
    stages = sequence("pretokenizers", {"type": "Digits", "individual_digits": True}, BYTE_LEVEL)
    config = tokenizer_json(byte_level_model(rng), pre_tokenizer=stages, decoder=BYTE_LEVEL,
                            post_processor=None)
    config["added_tokens"] = [
        {"id": config["model"]["vocab"].setdefault(content, len(config["model"]["vocab"])), "content": content,
         "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
        for content in ("<|endoftext|>", "<|im_start|>", "<|im_end|>")]
    check(config, rng, tmp_path, count=2000)


def random_model(rng):
    """With the options of a model at random; characters beyond a few are unknown."""
    options = {"fuse_unk": rng.random() < 0.5, "ignore_merges": rng.random() < 0.5,
               "unk_token": rng.choice([None, "<unk>"])}
    places = rng.choice(["", "prefix", "suffix"])
    letters = list("etaoinshrd")
    pieces = ["<unk>", *letters]
    if places == "prefix":
        options["continuing_subword_prefix"] = "##"
        inner = ["##" + letter for letter in letters]
        model = with_merges(rng, [*pieces, *inner], [*letters], count=1, **options)
        vocab, merges = model["vocab"], []
        while len(merges) < 60:
            left, right = rng.choice(list(vocab)), rng.choice(inner)
            if left != "<unk>" and len(left) < 7 and left + right[2:] not in vocab:
                merges.append([left, right])
                vocab[left + right[2:]] = len(vocab)
                if left.startswith("##"):
                    inner.append(left + right[2:])
        model["merges"] = merges
        return model
    if places == "suffix":
        options["end_of_word_suffix"] = "</w>"
        last = [letter + "</w>" for letter in letters]
        model = with_merges(rng, [*pieces, *last], [*letters], count=40, **options)
        vocab = model["vocab"]
        while len(model["merges"]) < 80:
            left, right = rng.choice([piece for piece in vocab if not piece.endswith("</w>")]), rng.choice(last)
            if left != "<unk>" and len(left + right) < 9 and left + right not in vocab:
                model["merges"].append([left, right])
                vocab[left + right] = len(vocab)
                last.append(left + right)
        return model
    return with_merges(rng, pieces, letters, count=60, **options)


def test_model_options(rng, tmp_path):
    for _ in range(40):
        model = random_model(rng)
        print(json.dumps({key: value for key, value in model.items() if key not in ("vocab", "merges")}))
        decoder = {"type": "BPEDecoder", "suffix": "</w>"}
        file = tmp_path / "tokenizer.json"
        file.write_text(json.dumps(tokenizer_json(model, pre_tokenizer={"type": "Whitespace"}, decoder=decoder)))
        texts = ["".join(rng.choices("etaoinshrd  é字Z", k=rng.randint(0, 90))) for _ in range(60)]
        check_texts(file, tokenizers.Tokenizer.from_file(str(file)), [text.encode() for text in texts], tmp_path)
