"""The operations by family, each with a function that draws one case of them
(operations_test.py)."""

import math

import torch
from operations_cases import LARGE_SHAPES, Case, Input
from operations_losses import cross_vocabulary_case, divergence_case, loss_case


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
    if op in ("div", "number_div") and fill == draw.ties:
        fill = draw.special
    second = fill != draw.special and draw.chance(0.4)
    if op.endswith("_number") or op.startswith("number_"):
        value = draw.choice([0.0, 1.0, -1.0, draw.uniform(-3, 3)])
        if op == "number_pow":
            value = draw.uniform(0.1, 3) if second else abs(value)
        return Case(op, [draw.input(shape, fill)], {"value": value}, second)
    fills = (draw.positive, draw.normal) if op == "pow" and second else (fill, fill)
    inputs = [draw.input(draw.broadcastable(shape), fill) for fill in fills]
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
                           draw.input((n,)) if draw.chance(0.6) else None],
                second=draw.chance(0.4))


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
    if op in ("transpose", "squeeze", "slice"):
        shape = shape or (1,)  # PyTorch takes dimension 0 of a scalar, ours has none
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
    elif op in ("reshape", "view"):
        attributes = {"shape": factors(draw, math.prod(shape))}
    elif op == "permute":
        attributes = {"dims": [d - rank if draw.chance(0.3) else d
                               for d in draw.permutation(rank)]}
    elif op == "transpose":
        attributes = {"a": dim, "b": draw.dim(rank)}
    elif op == "narrow":
        start, step = draw.integer(0, shape[dim]), draw.integer(1, 3)
        length = draw.integer(0, (shape[dim] - start + step - 1) // step)
        attributes = {"dim": dim, "start": start, "length": length, "step": step}
    elif op == "slice":
        start, end = draw.integer(-7, 7), draw.integer(-7, 7)
        attributes = {"dim": dim, "start": start, "end": end, "step": draw.integer(1, 3)}
    elif op == "select":
        attributes = {"dim": dim, "index": draw.integer(-shape[dim], shape[dim] - 1)}
    elif op == "unsqueeze":
        attributes = {"dim": draw.integer(-rank - 1, rank)}
    else:  # squeeze
        shape = list(shape)
        shape[dim] = 1
        attributes = {"dim": dim}
    x = draw.input(tuple(shape))
    if op == "view":  # of contiguous elements; others are refused
        x = Input(draw.normal(shape), grad=True)
    return Case(op, [x], attributes, draw.chance(0.3))


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
        ids = draw.index(draw.shape(0, 3), weight.leaf().shape[0])
        # PyTorch has no second gradient for no ids.
        return Case(op, [weight, ids], second=second and ids.leaf().numel() > 0)
    if op == "index_select":
        return Case(op, [x, draw.index((draw.size(),), shape[dim])], attributes, second)
    picked = [draw.integer(0, n) for n in shape]
    picked[dim] = draw.size()
    inputs = [x, draw.index(tuple(picked), shape[dim])]
    if op == "scatter_add":
        inputs.append(draw.input(tuple(picked)))
    return Case(op, inputs, attributes, second)


def has_freedom(shape, attributes):
    """False for a variance divided by 0 (or less, taken for 0): infinite or NaN on both sides, but
    not the same one in the gradient."""
    dims = {d % len(shape) for d in attributes["dims"]} if shape else ()
    return math.prod(shape[d] for d in dims or range(len(shape))) > attributes["correction"]


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
        x.grad = x.grad and has_freedom(shape, attributes)
    # Of no elements it is 0 or 0/0 by the order of the operations.
    second = fill != draw.special and not large and 0 not in shape and draw.chance(0.4)
    return Case(op, [x], attributes, second)


def softmax_case(draw, op):
    large = draw.chance(0.03)
    shape = draw.choice(LARGE_SHAPES) if large else draw.shape()
    fill = draw.choice([draw.normal, draw.normal, draw.ties, draw.special])
    second = fill != draw.special and not large and draw.chance(0.4)
    return Case(op, [draw.input(shape, fill)], {"dim": draw.dim(len(shape))}, second)


def norm_case(draw, op):
    width = draw.integer(1, 70)
    # In rows of equal elements a difference from the mean is all rounding, times 1 / sqrt(eps).
    inputs = [draw.input((*draw.shape(0, 3), width), expanded=op != "layer_norm"),
              draw.input((width,))]
    if op == "layer_norm":
        inputs = [x if n == 0 or draw.chance(0.8) else None
                  for n, x in enumerate([*inputs, draw.input((width,))])]
    second = inputs[1] is not None and draw.chance(0.4)  # PyTorch has none without a weight
    return Case(op, inputs, {"eps": draw.choice([1e-5, 1e-6, 0.1])}, second)


def rotary_case(draw, op):
    tokens, heads, half = draw.shape(0, 2), draw.size(), draw.integer(1, 9)
    length = draw.integer(1, 12)
    angles = draw.normal((length, half))
    tables = [Input(function(angles)) for function in (torch.cos, torch.sin)]
    return Case(op, [draw.input((*tokens, heads, 2 * half)), *tables, draw.index(tokens, length)],
                second=draw.chance(0.4))


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
                             "scale": draw.choice([0.0, 0.0, 1.0, draw.uniform(0.05, 2)])},
                draw.chance(0.4))


def swiglu_case(draw, op):
    shape = draw.shape()
    return Case(op, [draw.input(shape), draw.input(shape)], second=draw.chance(0.4))


def comparison_case(draw, op):
    shape = draw.shape()
    fill = draw.choice([draw.ties, draw.special, draw.normal,
                        lambda s: draw.integers(s, -2, 2), draw.booleans])
    return Case(op, [draw.input(draw.broadcastable(shape), fill, grad=False) for _ in range(2)])


def triangle_case(draw, op):
    shape = draw.shape(2, 3)
    return Case(op, [draw.input(shape, draw.choice([draw.normal, draw.special]), grad=False)],
                {"diagonal": draw.integer(-6, 6)})


def range_case(draw, op):
    whole = draw.chance(0.5)
    number = draw.integer if whole else draw.uniform
    start, step = number(-20, 20), number(1, 9) * draw.choice([1, -1])
    return Case(op, [], {"start": start, "end": start + step * abs(number(-20, 20)), "step": step,
                         "dtype": "I64" if whole else "F64"})


def order_case(draw, op):
    """Along a dimension; PyTorch says nothing of the order of equal elements in topk."""
    shape = draw.shape(1)  # PyTorch takes dimension 0 of a scalar, ours has none
    dim = draw.dim(len(shape))
    if shape[dim] == 0 and op in ("argmax", "argmin"):
        shape = tuple(n or 2 for n in shape)
    fill = draw.choice([draw.ties, draw.special, draw.normal, lambda s: draw.integers(s, -9, 9)])
    attributes = {"dim": dim}
    if op in ("argmax", "argmin"):
        attributes["keepdim"] = draw.chance(0.5)
    elif op == "sort":
        attributes["descending"] = draw.chance(0.5)
    elif op == "topk":
        fill = draw.normal
        attributes |= {"k": draw.integer(0, shape[dim]), "largest": draw.chance(0.5)}
    return Case(op, [draw.input(shape, fill, grad=False, expanded=op != "topk")], attributes)


def optimizer_case(draw, op):
    """A parameter and the gradients of some steps; Muon takes matrices alone."""
    shape = ((draw.integer(1, 40), draw.integer(1, 40)) if op == "muon"
             else draw.shape(0, 3))
    inputs = [draw.input(shape, grad=False, expanded=False)
              for _ in range(1 + draw.integer(1, 6))]
    attributes = {"lr": 10 ** draw.uniform(-4, -1), "weight_decay": draw.choice([0.0, 0.1, 1.5])}
    if op == "muon":
        attributes["momentum"] = draw.choice([0.95, 0.5, 0.0])
    else:
        attributes |= {"beta1": draw.choice([0.9, 0.0]), "beta2": draw.choice([0.999, 0.5]),
                       "eps": draw.choice([1e-8, 1e-3])}
    return Case(op, inputs, attributes)


FAMILIES = {
    "functions": (unary_case, ["exp", "log", "sqrt", "rsqrt", "tanh", "sigmoid", "silu", "gelu",
                               "relu", "abs", "neg", "clamp", "pow_number"]),
    "arithmetic": (binary_case, ["add", "sub", "mul", "div", "maximum", "minimum", "where",
                                 "pow", "add_number", "sub_number", "mul_number", "div_number",
                                 "number_sub", "number_div", "number_pow"]),
    "matmul": (matmul_case, ["matmul"]),
    "linear": (linear_case, ["linear"]),
    "views": (view_case, ["reshape", "view", "permute", "transpose", "narrow", "slice", "select",
                          "expand", "unsqueeze", "squeeze"]),
    "joins": (join_case, ["cat", "stack", "split"]),
    "indexing": (index_case, ["index_select", "gather", "scatter_add", "embedding"]),
    "reductions": (reduction_case, ["sum", "mean", "amax", "amin", "logsumexp", "var"]),
    "softmax": (softmax_case, ["softmax", "log_softmax"]),
    "norms": (norm_case, ["rms_norm", "layer_norm"]),
    "rotary": (rotary_case, ["rotary_embedding"]),
    "attention": (attention_case, ["attention"]),
    "swiglu": (swiglu_case, ["swiglu"]),
    "differences": (divergence_case, ["mse_loss", "kl_div"]),
    "losses": (loss_case, ["cross_entropy", "nll_loss", "distillation_loss", "linear_cross_entropy",
                           "linear_distillation_loss"]),
    "cross-vocabulary losses": (cross_vocabulary_case, ["linear_alm_loss", "linear_uld_loss"]),
    "comparisons": (comparison_case, ["eq", "ne", "lt", "le", "gt", "ge"]),
    "orders": (order_case, ["argmax", "argmin", "sort", "topk", "cumsum"]),
    "triangles": (triangle_case, ["tril", "triu"]),
    "ranges": (range_case, ["arange"]),
    "optimizers": (optimizer_case, ["adamw", "muon"]),
}
