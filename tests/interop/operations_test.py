"""Operations against PyTorch in float64: values, gradients, gradients of gradients, refusals.

A family has a function that draws one case; differences are measured as difference() of
operations_cases.py says, and none may pass 1e-10."""

import math

import pytest
import torch
from operations_cases import (LARGE_SHAPES, Case, Draw, Input, Reference, check_cases,
                              check_results, report, run_program)

CASES = 240  # a family; more where it has many operations
CASES_AN_OPERATION = 40
WRONG_USES = 150  # a family, of which PyTorch refuses some and takes the others otherwise


def unary_case(draw, op):
    attributes = {}
    fill = draw.choice([draw.normal, draw.normal, draw.ties, draw.special])
    if op in ("log", "sqrt", "rsqrt"):
        fill = draw.choice([draw.positive, draw.positive, draw.special])
    elif op == "clamp":
        low = draw.choice([-2.0, -1.0, 0.0, draw.uniform(-2, 1)])
        # Also a lower limit above the upper one.
        attributes = {"low": low, "high": low + draw.choice([0.0, 1.0, -1.0, draw.uniform(0, 2)])}
    elif op == "pow_number":
        attributes["value"] = draw.choice([-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 3.0,
                                           draw.uniform(-3, 3)])
        if not attributes["value"].is_integer():
            # PyTorch's square root of -inf is NaN, C's power infinite.
            fill = draw.choice([draw.positive, lambda s: draw.special(s).abs()])
    shape = draw.choice(LARGE_SHAPES) if draw.chance(0.02) else draw.shape()
    smooth = fill in (draw.normal, draw.ties, draw.positive)
    return Case(op, [draw.input(shape, fill)], attributes, smooth and draw.chance(0.4))


def binary_case(draw, op):
    shape = draw.choice(LARGE_SHAPES) if draw.chance(0.02) else draw.shape()
    fill = draw.choice([draw.normal, draw.normal, draw.ties, draw.special])
    if op == "div" and fill == draw.ties:
        fill = draw.special
    second = fill != draw.special and draw.chance(0.4)
    if op.endswith("_number"):
        value = draw.choice([0.0, 1.0, -1.0, draw.uniform(-3, 3)])
        return Case(op, [draw.input(shape, fill)], {"value": value}, second)
    inputs = [draw.input(draw.broadcastable(shape), fill) for _ in range(2)]
    if op == "where":
        inputs.insert(0, draw.input(draw.broadcastable(shape), draw.booleans))
    if draw.chance(0.1) and op != "where":
        inputs[1] = inputs[0]
    return Case(op, inputs, second=second)


def matmul_case(draw, _):
    m, k, n = (draw.size() if draw.chance(0.9) else draw.integer(20, 90) for _ in range(3))
    batch = draw.shape(0, 2)
    left, right = (m, k), (k, n)
    if draw.chance(0.15):
        left = (k,)
    if draw.chance(0.15):
        right = (k,)
    shapes = [(*(draw.broadcastable(batch) if len(matrix) == 2 else ()), *matrix)
              for matrix in (left, right)]
    return Case("matmul", [draw.input(shape) for shape in shapes], second=draw.chance(0.4))


def linear_case(draw, _):
    outer, k, n = draw.shape(0, 3), draw.integer(1, 40), draw.size()
    return Case("linear", [draw.input((*outer, k)), draw.input((n, k)),
                           draw.input((n,)) if draw.chance(0.6) else None])


def factors(draw, count):
    """Sizes whose product is `count`, one of them perhaps -1."""
    sizes = []
    while count > 1 and draw.chance(0.8):
        sizes.append(draw.choice([d for d in range(1, count + 1) if count % d == 0]))
        count //= sizes[-1]
    sizes.append(count)
    if draw.chance(0.3) and 0 not in sizes:
        sizes[draw.integer(0, len(sizes) - 1)] = -1
    return sizes


def view_case(draw, op):
    shape = draw.shape(1 if op in ("narrow", "select") else 0)
    if op in ("transpose", "squeeze"):  # PyTorch takes dimension 0 of a scalar, ours has none
        shape = shape or (1,)
    rank = len(shape)
    dim = draw.dim(rank)
    if op in ("narrow", "select") and shape[dim] == 0:
        shape = tuple(n or 2 for n in shape)
    if op == "expand":
        target = draw.shape(rank, rank + 2 if rank < 3 else 4)
        tail = target[len(target) - rank:]
        shape = tuple(1 if draw.chance(0.5) else n for n in tail)
        kept = [-1 if draw.chance(0.2) else n if m == 1 else m for m, n in zip(shape, tail)]
        attributes = {"shape": [*target[:len(target) - rank], *kept]}
    elif op == "reshape":
        attributes = {"shape": factors(draw, math.prod(shape))}
    elif op == "permute":
        attributes = {"dims": [d - rank if draw.chance(0.3) else d
                               for d in draw.permutation(rank)]}
    elif op == "transpose":
        attributes = {"a": dim, "b": draw.dim(rank)}
    elif op == "narrow":
        start = draw.integer(0, shape[dim])
        attributes = {"dim": dim, "start": start, "length": draw.integer(0, shape[dim] - start)}
    elif op == "select":
        attributes = {"dim": dim, "index": draw.integer(-shape[dim], shape[dim] - 1)}
    elif op == "unsqueeze":
        attributes = {"dim": draw.integer(-rank - 1, rank)}
    else:  # squeeze
        shape = list(shape)
        shape[dim] = 1
        attributes = {"dim": dim}
    return Case(op, [draw.input(tuple(shape))], attributes, draw.chance(0.3))


def join_case(draw, op):
    shape = draw.shape(0 if op == "stack" else 1, 3)
    dim = draw.dim(len(shape) + (op == "stack"))
    if op == "split":
        return Case(op, [draw.input(shape)], {"length": draw.integer(1, 6), "dim": dim},
                    draw.chance(0.3))
    shapes = [list(shape) for _ in range(draw.integer(1, 4))]
    if op == "cat":
        for part in shapes:
            part[dim] = draw.size()
    return Case(op, [draw.input(tuple(part)) for part in shapes], {"dim": dim}, draw.chance(0.3))


def index_case(draw, op):
    """Indices come several times."""
    shape = tuple(n or 2 for n in draw.shape(1, 3))
    dim = draw.dim(len(shape))
    attributes, second = {"dim": dim}, draw.chance(0.3)
    x = draw.input(shape)
    if op == "embedding":
        weight = draw.input((draw.integer(1, 6), draw.size()))
        return Case(op, [weight, draw.index(draw.shape(0, 3), weight.leaf().shape[0])])
    if op == "index_select":
        return Case(op, [x, draw.index((draw.size(),), shape[dim])], attributes, second)
    picked = [draw.integer(0, n) for n in shape]
    picked[dim] = draw.size()
    inputs = [x, draw.index(tuple(picked), shape[dim])]
    if op == "scatter_add":
        inputs.append(draw.input(tuple(picked)))
    return Case(op, inputs, attributes, second)


def reduction_case(draw, op):
    large = draw.chance(0.04)
    shape = draw.choice(LARGE_SHAPES) if large else draw.shape()
    dims = [] if large and draw.chance(0.5) else draw.dims(len(shape))
    if op in ("amax", "amin"):  # of no elements there is none
        shape = tuple(n or 2 for n in shape)
    attributes = {"dims": dims, "keepdim": draw.chance(0.5)}
    fill = draw.choice([draw.normal, draw.normal, draw.ties, draw.special])
    x = draw.input(shape, fill)
    if op == "var":
        attributes["correction"] = draw.choice([0.0, 1.0, 1.0, 2.0])
        count = math.prod(shape[d] for d in dims or range(len(shape)))
        # Divided by 0: infinite or NaN on both sides, but not the same one in the gradient.
        x.grad = x.grad and count > attributes["correction"]
    second = x.grad and fill != draw.special and not large and draw.chance(0.4)
    return Case(op, [x], attributes, second)


def softmax_case(draw, op):
    large = draw.chance(0.03)
    shape = draw.choice(LARGE_SHAPES) if large else draw.shape()
    fill = draw.choice([draw.normal, draw.normal, draw.ties, draw.special])
    second = fill != draw.special and not large and draw.chance(0.4)
    return Case(op, [draw.input(shape, fill)], {"dim": draw.dim(len(shape))}, second)


def norm_case(draw, op):
    width = draw.integer(1, 70)
    shape = (*draw.shape(0, 3), width)
    return Case(op, [draw.input(shape), draw.input((width,))],
                {"eps": draw.choice([1e-5, 1e-6, 0.1])})


def rotary_case(draw, op):
    tokens, heads, half = draw.shape(0, 2), draw.size(), draw.integer(1, 9)
    length = draw.integer(1, 12)
    angles = draw.normal((length, half))
    tables = [Input(function(angles)) for function in (torch.cos, torch.sin)]
    return Case(op, [draw.input((*tokens, heads, 2 * half)), *tables, draw.index(tokens, length)])


def attention_case(draw, op):
    batch, kv_heads, head_dim = draw.integer(1, 3), draw.integer(1, 3), draw.integer(1, 20)
    keys = draw.integer(1, 12) if draw.chance(0.9) else draw.integer(60, 150)
    queries = draw.choice([keys, 1, draw.integer(1, keys + 3)])
    heads = kv_heads * draw.integer(1, 3)
    first_key = None
    if draw.chance(0.4):  # some queries see no key at all
        first_key = draw.input((batch, queries), lambda s: draw.integers(s, 0, keys))
    inputs = [draw.input((batch, queries, heads, head_dim)),
              *(draw.input((batch, keys, kv_heads, head_dim)) for _ in range(2)), first_key]
    return Case(op, inputs, {"causal": draw.chance(0.6),
                             "scale": draw.choice([0.0, 0.0, 1.0, draw.uniform(0.05, 2)])})


def swiglu_case(draw, op):
    shape = draw.shape()
    return Case(op, [draw.input(shape), draw.input(shape)])


def label_input(draw, rows, classes, ignore_index):
    """Without a label PyTorch's mean is 0 / 0 and ours 0 by design, so one row has one."""
    labels = draw.integers((rows,), 0, classes - 1)
    ignored = torch.rand(rows, generator=draw.generator) < 0.3
    ignored[draw.integer(0, rows - 1)] = False
    return Input(torch.where(ignored, ignore_index, labels))


def loss_case(draw, op):
    rows, classes = draw.integer(1, 12), draw.integer(1, 40)
    ignore_index = draw.choice([-100, -1, 1000])
    student = draw.input((rows, classes))
    labels = label_input(draw, rows, classes, ignore_index)
    if op == "cross_entropy":
        return Case(op, [student, labels], {"ignore_index": ignore_index})
    narrower = draw.chance(0.4)
    vocabulary = draw.integer(1, classes) if narrower else 0
    width = max(vocabulary, draw.integer(1, 45)) if narrower else classes
    teacher = draw.input((rows, width), grad=False)
    return Case(op, [student, teacher, labels],
                {"temperature": draw.choice([1.0, 2.0, draw.uniform(0.5, 5)]),
                 "alpha": draw.choice([0.0, 0.5, 1.0, draw.uniform(0, 1)]),
                 "reduction": draw.choice(["mean", "batchmean"]),
                 "sequences": draw.integer(1, 4), "vocabulary": vocabulary,
                 "ignore_index": ignore_index})


def comparison_case(draw, op):
    shape = draw.shape()
    fill = draw.choice([draw.ties, draw.special, draw.normal,
                        lambda s: draw.integers(s, -2, 2), draw.booleans])
    return Case(op, [draw.input(draw.broadcastable(shape), fill, grad=False) for _ in range(2)])


def index_making_case(draw, op):
    """argmax and others of which the result is an index or a range."""
    if op == "arange":
        return Case(op, [], {"end": draw.integer(0, 50)})
    if op in ("tril", "triu"):
        return Case(op, [draw.input(draw.shape(2, 4), grad=False)],
                    {"diagonal": draw.integer(-6, 6)})
    shape = draw.shape(1)  # PyTorch takes dimension 0 of a scalar, ours has none
    dim = draw.dim(len(shape))
    if shape[dim] == 0:
        shape = tuple(n or 2 for n in shape)
    fill = draw.choice([draw.ties, draw.special, draw.normal])
    return Case(op, [draw.input(shape, fill, grad=False)],
                {"dim": dim, "keepdim": draw.chance(0.5)})


FAMILIES = {
    "functions": (unary_case, ["exp", "log", "sqrt", "rsqrt", "tanh", "sigmoid", "silu", "gelu",
                               "relu", "abs", "neg", "clamp", "pow_number"]),
    "arithmetic": (binary_case, ["add", "sub", "mul", "div", "maximum", "minimum", "where",
                                 "add_number", "mul_number"]),
    "matmul": (matmul_case, ["matmul"]),
    "linear": (linear_case, ["linear"]),
    "views": (view_case, ["reshape", "permute", "transpose", "narrow", "select", "expand",
                          "unsqueeze", "squeeze"]),
    "joins": (join_case, ["cat", "stack", "split"]),
    "indexing": (index_case, ["index_select", "gather", "scatter_add", "embedding"]),
    "reductions": (reduction_case, ["sum", "mean", "amax", "amin", "logsumexp", "var"]),
    "softmax": (softmax_case, ["softmax", "log_softmax"]),
    "norms": (norm_case, ["rms_norm"]),
    "rotary": (rotary_case, ["rotary_embedding"]),
    "attention": (attention_case, ["attention"]),
    "swiglu": (swiglu_case, ["swiglu"]),
    "losses": (loss_case, ["cross_entropy", "distillation_loss"]),
    "comparisons": (comparison_case, ["eq", "lt", "le"]),
    "orders": (index_making_case, ["argmax", "tril", "triu", "arange"]),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_random_cases(family, rng, tmp_path):
    make, operations = FAMILIES[family]
    draw = Draw(rng)
    count = max(CASES, CASES_AN_OPERATION * len(operations))
    cases = [make(draw, operations[n % len(operations)]) for n in range(count)]
    check_cases(family, cases, draw, tmp_path)


# The reference formulas of these broadcast or wrap indices where the operation is one of its own and
# refuses; what PyTorch refuses they have to refuse as well.
STRICTER = {"attention", "rotary_embedding", "swiglu", "distillation_loss", "linear", "rms_norm"}


def changed_shape(draw, shape):
    """Another shape: a size changed, or a dimension more or less."""
    shape = list(shape)
    kind = draw.choice(["size", "size", "more", "less"]) if shape else "more"
    place = draw.integer(0, max(len(shape) - 1, 0))
    if kind == "size":
        shape[place] += draw.integer(1, 3)
    elif kind == "more":
        shape.insert(place, draw.integer(1, 3))
    else:
        del shape[place]
    return tuple(shape)


def spoil_input(draw, case):
    """Another shape, or an index out of range."""
    places = [n for n, i in enumerate(case.inputs) if i is not None]
    if not places:
        return
    place = draw.choice(places)
    old = case.inputs[place].leaf().detach()
    if old.dtype == torch.int64 and old.numel() and draw.chance(0.6):
        new = old.clone()
        new.view(-1)[draw.integer(0, old.numel() - 1)] = draw.choice([-1, -7, 50, 10**12])
        case.inputs[place] = Input(new)
    else:
        shape = changed_shape(draw, old.shape)
        case.inputs[place] = Input(torch.zeros(shape, dtype=old.dtype))


def spoil_attribute(draw, case):
    names = [name for name, value in case.attributes.items()
             if (isinstance(value, list) or type(value) is int) and name != "sequences"]
    if not names:
        return
    name = draw.choice(names)
    value = case.attributes[name]
    if isinstance(value, int):
        case.attributes[name] = draw.choice([value + draw.integer(1, 9), value - draw.integer(1, 9)])
        return
    changed = list(value)
    if changed and draw.chance(0.4):
        changed[draw.integer(0, len(changed) - 1)] = draw.integer(-7, 7)
    elif changed and draw.chance(0.5):
        changed.pop(draw.integer(0, len(changed) - 1))
    else:
        changed.insert(draw.integer(0, len(changed)), draw.integer(-3, 3))
    case.attributes[name] = changed


def wrong_use(draw, make, op):
    case = make(draw, op)
    case.second = False
    draw.choice([spoil_input, spoil_attribute])(draw, case)
    return case


def refused_by_design(case):
    """Where ours refuses what PyTorch takes."""
    shapes = [i.base.shape for i in case.inputs if i is not None]
    if case.op in STRICTER:
        return True
    if case.op == "squeeze":  # of a dimension that is longer than 1: no squeeze, PyTorch
        return True
    if case.op == "narrow":  # PyTorch counts a negative start from the end
        return case.attributes["start"] < 0
    if case.op == "cat":  # PyTorch passes over an empty vector among tensors of any rank
        return (0,) in shapes
    if case.op == "scatter_add":  # PyTorch takes a source that is larger than the index
        return shapes[1] != shapes[2]
    # PyTorch takes the dimensions 0 and -1 of a scalar, which has none.
    return () in shapes and {"dim", "dims", "a"} & set(case.attributes)


# A function of one variable takes any shape.
@pytest.mark.parametrize("family", [name for name in FAMILIES if name != "functions"])
def test_wrong_uses(family, rng, tmp_path):
    """What PyTorch refuses throws one of our errors; what it takes, ours takes with equal
    results."""
    make, operations = FAMILIES[family]
    draw = Draw(rng)
    references = [Reference(wrong_use(draw, make, draw.choice(operations)), draw)
                  for _ in range(WRONG_USES)]
    assert sum(reference.error is not None for reference in references) > WRONG_USES / 10
    answers, tensors = run_program(references, tmp_path)
    failures = []
    for index, (reference, answer) in enumerate(zip(references, answers, strict=True)):
        case, error = reference.case, reference.error
        if answer.get("error") == "std::exception":
            failures.append((case, f"not a gladius::Error: {answer['message']}"))
        elif error is not None and "error" not in answer:
            failures.append((case, f"accepted, but PyTorch: {error}"))
        elif error is None and "error" in answer and not refused_by_design(case):
            failures.append((case, f"PyTorch accepts, but {answer['error']}: {answer['message']}"))
        elif error is None and "error" not in answer:
            try:
                check_results(f"{family}, odd uses", index, reference, tensors)
            except AssertionError as disagreement:
                failures.append((case, str(disagreement)))
    report(family, failures, len(references))
