"""Operations against PyTorch in float64: values, gradients, gradients of gradients, refusals.

Differences are measured as difference() of operations_cases.py says, and none may pass 1e-10."""

import math
import random

import pytest
import torch
from operations_cases import (Draw, Input, Reference, check_cases, check_results, report,
                              run_program)
from operations_families import FAMILIES, has_freedom

# PyTorch's, of variances of one element, losses that broadcast, ...
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

CASES = 240  # a family; more where it has many operations
CASES_AN_OPERATION = 40
WRONG_USES = 150  # a family, of which PyTorch refuses some and takes the others otherwise


@pytest.mark.parametrize("family", FAMILIES)
def test_random_cases(family, rng, tmp_path):
    make, operations = FAMILIES[family]
    draw = Draw(rng)
    count = max(CASES, CASES_AN_OPERATION * len(operations))
    cases = [make(draw, operations[n % len(operations)]) for n in range(count)]
    check_cases(family, cases, draw, tmp_path)


# The reference formulas of these broadcast or wrap indices where the operation refuses; what
# PyTorch refuses they have to refuse as well.
STRICTER = {"attention", "rotary_embedding", "swiglu", "distillation_loss", "linear", "mse_loss",
            "kl_div", "linear_cross_entropy", "linear_distillation_loss", "linear_alm_loss",
            "linear_uld_loss"}


def changed_shape(draw, shape):
    """Another shape: a size changed, or a dimension more or less."""
    shape = list(shape)
    kind = draw.choice(["size", "more", "less"]) if shape else "more"
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
    place = draw.choice([n for n, i in enumerate(case.inputs) if i is not None])
    old = case.inputs[place].leaf().detach()
    if old.dtype == torch.int64 and old.numel() and draw.chance(0.6):
        new = old.contiguous().clone()
        new.view(-1)[draw.integer(0, old.numel() - 1)] = draw.choice([-1, -7, 50, 10**12])
        case.inputs[place] = Input(new)
    else:
        shape = changed_shape(draw, old.shape)
        case.inputs[place] = Input(draw.normal(shape) if old.is_floating_point()
                                   else torch.zeros(shape, dtype=old.dtype))


def spoilable(case):
    return [name for name, value in case.attributes.items()
            if (isinstance(value, list) or type(value) is int) and name != "sequences"]


def spoil_attribute(draw, case):
    name = draw.choice(spoilable(case))
    value = case.attributes[name]
    if isinstance(value, int):
        case.attributes[name] += draw.choice([-1, 1]) * draw.integer(1, 9)
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
    ways = [spoil_input] * bool(case.inputs) + [spoil_attribute] * bool(spoilable(case))
    if ways:
        draw.choice(ways)(draw, case)
    if op == "var":
        x = case.inputs[0]
        x.grad = x.grad and has_freedom(x.leaf().shape, case.attributes)
    return case


def refused_by_design(case):
    """Where ours refuses what PyTorch takes."""
    op, attributes = case.op, case.attributes
    shapes = [tuple(i.leaf().shape) for i in case.inputs if i is not None]
    return (
        op in STRICTER
        # PyTorch takes the dimensions 0 and -1 of a scalar, which has none.
        or (() in shapes and not {"dim", "dims", "a"}.isdisjoint(attributes))
        # Of a dimension that is longer than 1, which PyTorch leaves as it is.
        or op == "squeeze"
        # PyTorch takes a negative size beside a size of 0; for a scalar also -1 is one.
        or (op == "expand"
            and min(attributes["shape"], default=0) < (0 if shapes[0] == () else -1))
        # PyTorch counts a negative start from the end.
        or (op == "narrow" and attributes["start"] < 0)
        # PyTorch passes over an empty vector among tensors of any rank.
        or (op == "cat" and (0,) in shapes)
        # PyTorch does not look at the sizes if there are no indices.
        or (op in ("gather", "scatter_add") and 0 in shapes[1])
        # PyTorch takes a source that is larger than the index.
        or (op == "scatter_add" and shapes[1] != shapes[2])
        # PyTorch takes a single row, or more dimensions.
        or (op in ("cross_entropy", "nll_loss") and len(shapes[0]) != 2)
    )


def without_labels(case):
    """A mean over no rows: 0 / 0 in PyTorch, 0 in ours by design."""
    ignored = case.attributes.get("ignore_index")
    return ignored is not None and not (case.inputs[-1].leaf() != ignored).any()


def overflowed(error):
    """Whether PyTorch's own product of a slice's step and a stride has overflowed."""
    return any(text in str(error)
               for text in ("Negative strides", "cannot be represented as a SymInt"))


def compare_uses(name, cases, draw, tmp_path):
    """What PyTorch refuses throws one of our errors; what it takes, ours takes with equal
    results."""
    references = [Reference(case, draw) for case in cases]
    answers, tensors = run_program(references, tmp_path)
    failures = []
    for index, (reference, answer) in enumerate(zip(references, answers, strict=True)):
        case, error = reference.case, reference.error
        if answer.get("error") == "std::exception":
            failures.append((case, f"not a gladius::Error: {answer['message']}"))
        elif error is not None and "error" not in answer:
            if not overflowed(error):
                failures.append((case, f"accepted, but PyTorch: {error}"))
        elif error is None and "error" in answer and not refused_by_design(case):
            failures.append((case, f"PyTorch accepts, but {answer['error']}: {answer['message']}"))
        elif error is None and "error" not in answer and not without_labels(case):
            try:
                check_results(name, index, reference, tensors)
            except AssertionError as disagreement:
                failures.append((case, str(disagreement)))
    report(name, failures, len(references))
    return references


@pytest.mark.parametrize("family", [name for name in FAMILIES if name != "functions"])
def test_wrong_uses(family, rng, tmp_path):
    make, operations = FAMILIES[family]
    draw = Draw(rng)
    cases = [wrong_use(draw, make, draw.choice(operations)) for _ in range(WRONG_USES)]
    references = compare_uses(f"{family}, odd uses", cases, draw, tmp_path)
    assert any(reference.error is not None for reference in references)


# Numbers at the ends of their type, and about 2^62, whose sums and products leave it.
EXTREMES = [-2**63, -2**63 + 1, -2**62, -2**31 - 1, 2**62 - 1, 2**62, 2**63 - 2, 2**63 - 1]


def extreme_use(draw, make, op):
    """A number of the case, or all numbers of one list, replaced by one at the ends of its type."""
    case = make(draw, op)
    case.second = False
    indices = [n for n, i in enumerate(case.inputs)
               if i is not None and i.base.dtype == torch.int64 and i.leaf().numel()]
    names = spoilable(case)
    if indices and (not names or draw.chance(0.5)):
        place = draw.choice(indices)
        changed = case.inputs[place].leaf().detach().contiguous().clone()
        changed.view(-1)[draw.integer(0, changed.numel() - 1)] = draw.choice(EXTREMES)
        case.inputs[place] = Input(changed)
    elif names:
        name = draw.choice(names)
        value = case.attributes[name]
        if isinstance(value, int):
            case.attributes[name] = draw.choice(EXTREMES)
        elif value and draw.chance(0.7):
            case.attributes[name] = list(value)
            case.attributes[name][draw.integer(0, len(value) - 1)] = draw.choice(EXTREMES)
        else:
            case.attributes[name] = [draw.choice(EXTREMES)] * max(len(value), 1)
    return case


def takes_whole_numbers(family):
    make, operations = FAMILIES[family]
    draw = Draw(random.Random(0))
    cases = [make(draw, op) for op in operations for _ in range(5)]
    return any(spoilable(case) or any(i is not None and i.base.dtype == torch.int64
                                      for i in case.inputs) for case in cases)


@pytest.mark.parametrize("family", [name for name in FAMILIES if name != "ranges"
                                    and takes_whole_numbers(name)])
def test_extreme_numbers(family, rng, tmp_path):
    make, operations = FAMILIES[family]
    draw = Draw(rng)
    # A result of 2^62 elements that share memory is a view, and nothing that could be compared.
    cases = [extreme_use(draw, make, draw.choice(operations)) for _ in range(WRONG_USES)]
    cases = [case for case in cases
             if case.op != "expand" or max(case.attributes["shape"], default=0) < 2**31]
    compare_uses(f"{family}, extreme numbers", cases, draw, tmp_path)


# Shapes without elements, whose other sizes are about 2^62.
EMPTY_SHAPES = [(0, 2**62), (2**62, 0), (2, 0, 2**60), (0, 2**59, 2), (2**61, 0, 1)]
ON_ANY_SHAPE = {
    "functions": ["exp", "relu", "gelu", "pow_number", "clamp"],
    "arithmetic": ["add", "mul", "maximum", "number_div"],
    "reductions": ["sum", "mean", "logsumexp", "var", "amax"],
    "softmax": ["softmax", "log_softmax"],
    "views": ["transpose", "narrow", "slice", "select", "unsqueeze", "squeeze"],
}


def reshaped_case(draw, make, op):
    """A case of small tensors on a shape without elements; dimensions are drawn anew."""
    shape = draw.choice(EMPTY_SHAPES)
    case = make(draw, op)
    case.second = False
    case.inputs = [i and Input(torch.empty(shape, dtype=torch.float64), grad=i.grad)
                   for i in case.inputs]
    for name in ("dim", "a", "b"):
        if name in case.attributes:
            case.attributes[name] = draw.dim(len(shape))
    if "dims" in case.attributes:
        case.attributes["dims"] = draw.dims(len(shape))
    return case


def small_result(case):
    """False where the result itself would have about 2^62 elements."""
    shape = case.inputs[0].leaf().shape
    if case.op in ON_ANY_SHAPE["reductions"]:
        dims = {d % len(shape) for d in case.attributes["dims"]} or set(range(len(shape)))
        return math.prod(n for d, n in enumerate(shape) if d not in dims) < 2**20
    return True


@pytest.mark.parametrize("family", ON_ANY_SHAPE)
def test_extreme_shapes(family, rng, tmp_path):
    make, operations = FAMILIES[family][0], ON_ANY_SHAPE[family]
    draw = Draw(rng)
    cases = [reshaped_case(draw, make, draw.choice(operations)) for _ in range(WRONG_USES)]
    cases = [case for case in cases if small_result(case)]
    references = [Reference(case, draw) for case in cases]
    answers, tensors = run_program(references, tmp_path)
    failures = []
    for index, (reference, answer) in enumerate(zip(references, answers, strict=True)):
        case = reference.case
        if answer.get("error") == "std::exception":
            failures.append((case, f"not a gladius::Error: {answer['message']}"))
        elif reference.error is None and "error" not in answer:
            check_results(f"{family}, extreme shapes", index, reference, tensors)
        elif reference.error is not None and "error" not in answer:
            if not overflowed(reference.error):
                failures.append((case, f"accepted, but PyTorch: {reference.error}"))
    report(family, failures, len(cases))
