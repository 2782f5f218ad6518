"""Cases of the losses (operations_families.py)."""

import torch
from operations_cases import Case, Input


def divergence_case(draw, op):
    """Losses of two tensors of one shape."""
    shape = draw.shape(1, 3)
    attributes = {"reduction": draw.choice(["none", "mean", "sum"])}
    fill = draw.normal
    if op == "kl_div":
        attributes["log_target"] = draw.chance(0.5)
        if shape[0] > 0 and draw.chance(0.3):
            attributes["reduction"] = "batchmean"
        if not attributes["log_target"]:
            fill = draw.positive
    target = draw.input(shape, fill)
    if fill == draw.positive and draw.chance(0.3):
        # PyTorch's gradient of a target of 0 is 0 / 0.
        target = draw.input(shape, lambda s: draw.ties(s).abs(), grad=False)
    # The mean of no elements is 0 / 0, its second gradient by the order of the operations.
    return Case(op, [draw.input(shape), target], attributes, 0 not in shape and draw.chance(0.4))


def label_input(draw, rows, classes, ignore_index):
    """Without a label PyTorch's mean is 0 / 0 and ours 0 by design, so one row has one."""
    labels = draw.integers((rows,), 0, classes - 1)
    ignored = torch.rand(rows, generator=draw.generator) < 0.3
    ignored[draw.integer(0, rows - 1)] = False
    return Input(torch.where(ignored, ignore_index, labels))


def distillation_attributes(draw, alphas, ignore_index, **others):
    return {"temperature": draw.choice([1.0, 2.0, draw.uniform(0.5, 5)]),
            "alpha": draw.choice([*alphas, draw.uniform(0, 1)]),
            "reduction": draw.choice(["mean", "batchmean"]), "sequences": draw.integer(1, 4),
            "divergence": "forward_kl", "beta": 0.5, "tokens": "all", "vocabulary": 0,
            "ignore_index": ignore_index} | others


def loss_case(draw, op):
    """Of logits, or of what a linear layer makes of its input, block by block if it is long."""
    linear = op.startswith("linear_")
    rows = draw.integer(500, 1100) if linear and draw.chance(0.3) else draw.integer(1, 12)
    classes = draw.integer(1, 40)
    ignore_index = draw.choice([-100, -1, 1000])
    width = draw.integer(1, 8)
    student = ([draw.input((rows, width)), draw.input((classes, width))] if linear
               else [draw.input((rows, classes))])
    labels = label_input(draw, rows, classes, ignore_index)
    if op == "nll_loss" or op.endswith("cross_entropy"):
        attributes = {"ignore_index": ignore_index}
        if not linear:
            attributes["reduction"] = draw.choice(["none", "mean", "sum"])
        return Case(op, [*student, labels], attributes, rows < 100 and draw.chance(0.4))
    narrower = draw.chance(0.4)
    vocabulary = draw.integer(1, classes) if narrower else 0
    width = max(vocabulary, draw.integer(1, 45)) if narrower else classes
    teacher = draw.input((rows, width), grad=False)
    if draw.chance(0.3):  # the first entry is possible, others may be
        impossible = draw.booleans((rows, width)) & (torch.arange(width) > 0)
        teacher = Input(draw.normal((rows, width)).masked_fill(impossible, -torch.inf))
    return Case(op, [*student, teacher, labels], distillation_attributes(
        draw, [0.0, 0.5, 1.0], ignore_index, vocabulary=vocabulary,
        divergence=draw.choice(["forward_kl", "reverse_kl", "jsd", "skew_kl"]),
        beta=draw.choice([0.5, 0.1, draw.uniform(0.01, 0.99)]),
        tokens=draw.choice(["all", "all", "labelled"])))


def chunks_of(draw, rows):
    """Some of the rows in runs, apart from each other: [K, 2]."""
    chunks, at = [], draw.integer(0, 2)
    while at < rows:
        end = min(rows, at + draw.choice([1, 1, 2, 3, 9]))
        if draw.chance(0.8):
            chunks.append((at, end))
        at = end + draw.choice([0, 0, 0, 1, 3])
    return torch.tensor(chunks, dtype=torch.int64).reshape(-1, 2)


def cross_vocabulary_case(draw, op):
    rows = draw.integer(500, 1100) if draw.chance(0.2) else draw.integer(1, 12)
    classes, width, ignore_index = draw.integer(2, 40), draw.integer(1, 8), -100
    # Equal entries may be ranked either way.
    student = [draw.input((rows, width)), draw.input((classes, width), expanded=False)]
    labels = label_input(draw, rows, classes, ignore_index)
    attributes = distillation_attributes(draw, [0.5, 1.0], ignore_index)
    if op == "linear_alm_loss":
        chunks = chunks_of(draw, rows)
        teacher = draw.choice([lambda n: -20 * draw.positive(n), torch.zeros])
        targets = [Input(draw.integers((rows,), 0, classes - 1)), Input(chunks),
                   Input(teacher((len(chunks),)).double())]
        return Case(op, [*student, *targets, labels],
                    attributes | {"tau": draw.choice([100.0, 1.0, draw.uniform(1, 200)])})
    teacher_rows = draw.integer(1, 150)
    targets = [draw.input((teacher_rows, draw.integer(1, 60)), grad=False),
               Input(draw.integers((rows,), -1, teacher_rows - 1))]
    return Case(op, [*student, *targets, labels], attributes)
