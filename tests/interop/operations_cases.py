"""Random cases of single operations, run by our program and by PyTorch in float64."""

import itertools
import json
import math
import subprocess
from dataclasses import dataclass, field

import torch
from helpers import BINARY, check_close, torch_generator
from operations_reference import OPERATIONS, stepped_narrow
from safetensors.torch import load_file, save_file

PROGRAM = BINARY.with_name("run_operations")
LIMIT = 1e-10
SPECIAL = torch.tensor([0.0, -0.0, math.inf, -math.inf, math.nan, 1.0, -1.0, 2.0, 700.0, -700.0])
LARGE_SHAPES = [(60_000,), (3, 20_000), (50_001, 2), (250, 1, 240), (2, 3, 100, 100), (1, 65_537)]


# Ways of seeing a stored tensor, of the same names in run_operations.cpp.
VIEWS = {"transpose": torch.transpose, "narrow": stepped_narrow, "expand": torch.Tensor.expand}


@dataclass
class Input:
    base: torch.Tensor
    views: list = field(default_factory=list)
    grad: bool = False

    def leaf(self):
        x = self.base
        for name, *arguments in self.views:
            x = VIEWS[name](x, *arguments)
        return x.detach().requires_grad_(self.grad)


@dataclass
class Case:
    op: str
    inputs: list  # of Input, or None for an undefined one
    attributes: dict = field(default_factory=dict)
    second: bool = False  # differentiate the gradients too

    def describe(self):
        inputs = [i and {"shape": list(i.leaf().shape), "views": i.views, "grad": i.grad,
                         **({"values": i.base.tolist()} if i.base.numel() <= 20 else {})}
                  for i in self.inputs]
        return f"{self.op} {self.attributes} second={self.second}\n" + "\n".join(map(str, inputs))


class Draw:
    """What cases are made of, from one source of random numbers."""

    def __init__(self, rng):
        self.rng = rng
        self.generator = torch_generator(rng)
        self.choice, self.integer, self.uniform = rng.choice, rng.randint, rng.uniform

    def chance(self, share):
        return self.rng.random() < share

    def size(self, empty=0.06):
        return 0 if self.chance(empty) else 1 if self.chance(0.15) else self.integer(2, 5)

    def shape(self, low=0, high=4, empty=0.06):
        return tuple(self.size(empty) for _ in range(self.integer(low, high)))

    def dim(self, rank):
        """Of a tensor of that rank, which may be 0 (where PyTorch takes 0 and -1)."""
        return self.integer(-max(rank, 1), max(rank, 1) - 1)

    def dims(self, rank):
        """Some of the dimensions, from either end; none stands for all."""
        chosen = self.rng.sample(range(rank), self.integer(0, rank))
        return [d - rank if self.chance(0.4) else d for d in chosen]

    def broadcastable(self, shape):
        """A shape that broadcasts with `shape` to `shape`."""
        stretched = [1 if self.chance(0.25) else n for n in shape]
        return tuple(stretched[self.integer(0, len(shape)):] if self.chance(0.3) else stretched)

    def normal(self, shape):
        return torch.randn(shape, generator=self.generator, dtype=torch.float64)

    def positive(self, shape):
        return self.normal(shape).abs() + 0.05

    def ties(self, shape):
        return self.integers(shape, -2, 2).double()

    def special(self, shape):
        pick = self.integers(shape, 0, len(SPECIAL) - 1)
        return torch.where(self.booleans(shape), SPECIAL.double()[pick], self.normal(shape))

    def integers(self, shape, low, high):
        return torch.randint(low, high + 1, shape, generator=self.generator)

    def booleans(self, shape):
        return self.integers(shape, 0, 1).bool()

    def permutation(self, count):
        return self.rng.sample(range(count), count)

    def input(self, shape, fill=None, grad=None, expanded=True):
        """A tensor with the values of fill(shape), half of the time not contiguous; `expanded`
        ones repeat values."""
        fill = fill or self.normal
        views = []
        layout = self.choice(["dense", "dense", "dense", "transpose", "narrow",
                              "expand" if expanded else "transpose"])
        base_shape = list(shape)
        if shape and layout != "dense":
            dim = self.integer(0, len(shape) - 1)
            if layout == "transpose":
                other = self.integer(0, len(shape) - 1)
                base_shape[dim], base_shape[other] = base_shape[other], base_shape[dim]
                views.append([layout, dim, other])
            elif layout == "narrow":
                start, step = self.integer(0, 2), self.integer(1, 3)
                base_shape[dim] = start + shape[dim] * step + self.integer(0, 2)
                views.append([layout, dim, start, shape[dim], step])
            elif shape[dim] > 0:
                base_shape[dim] = 1
                views.append([layout, list(shape)])
        base = fill(tuple(base_shape)).contiguous()
        if grad is None:
            grad = base.is_floating_point() and self.chance(0.85)
        return Input(base, views, grad)

    def index(self, shape, size):
        """Indices below `size`."""
        return self.input(shape, lambda s: self.integers(s, 0, size - 1))

def as_list(outputs):
    return list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]


class Reference:
    """What PyTorch makes of a case; the seeds and weights that both take are drawn here."""

    def __init__(self, case, draw):
        self.case, self.error = case, None
        self.seeds, self.weights = [], None
        self.outputs, self.grads = [], {}
        self.second, self.second_like = {}, []
        x = [i and i.leaf() for i in case.inputs]
        try:
            self.outputs = as_list(OPERATIONS[case.op](*x, **case.attributes))
            if any(y.requires_grad for y in self.outputs):
                self.differentiate(x, draw)
        except (RuntimeError, IndexError, ValueError, TypeError) as error:
            self.error = error

    def differentiate(self, x, draw):
        self.seeds = [draw.normal(y.shape) if y.requires_grad else None for y in self.outputs]
        seeds = [seed.requires_grad_(self.case.second) for seed in self.seeds if seed is not None]
        places = [n for n, i in enumerate(x) if i is not None and i.requires_grad]
        wanted = [x[n] for n in places]
        grads = torch.autograd.grad([y for y in self.outputs if y.requires_grad], wanted, seeds,
                                    allow_unused=True, create_graph=self.case.second)
        self.grads = dict(zip(places, grads, strict=True))
        if not self.case.second:
            return
        self.weights = [draw.normal(i.shape) for i in wanted]
        total = sum((g * w).sum() for g, w in zip(grads, self.weights, strict=True)
                    if g is not None)
        self.second_like = wanted + seeds
        second = (torch.autograd.grad(total, self.second_like, allow_unused=True)
                  if total.requires_grad else [None] * len(self.second_like))
        self.second = dict(enumerate(second))


def dense(x):
    return x.detach().contiguous().clone()


def request(index, reference, tensors):
    """The line of a case; adds its tensors."""
    def store(kind, number, x):
        name = f"{index}/{kind}/{number}"
        tensors[name] = dense(x)
        return name

    case = reference.case
    return {
        "op": case.op,
        "inputs": [i and {"name": store("input", n, i.base), "views": i.views, "grad": i.grad}
                   for n, i in enumerate(case.inputs)],
        "attributes": case.attributes,
        "seeds": [None if seed is None else store("seed", n, seed)
                  for n, seed in enumerate(reference.seeds)],
        "weights": reference.weights and [store("weight", n, w)
                                          for n, w in enumerate(reference.weights)],
    }


def run_program(references, directory):
    """Our answers, one a case, and the tensors of all."""
    tensors = {}
    lines = [json.dumps(request(n, reference, tensors), allow_nan=False) + "\n"
             for n, reference in enumerate(references)]
    cases, stored, out = (directory / name for name in ("cases.jsonl", "in", "out"))
    cases.write_text("".join(lines))
    save_file(tensors, stored)
    assert PROGRAM.is_file(), f"{PROGRAM} is missing: ./run build, or set GLADIUS_BIN"
    done = subprocess.run([PROGRAM, cases, stored, out], capture_output=True, check=False,
                          timeout=120)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    answers = [json.loads(line) for line in done.stdout.decode().splitlines()]
    assert len(answers) == len(references)
    return answers, load_file(out)


def difference(ours, expected):
    """The largest difference of two elements, relative to the largest finite magnitude of
    `expected`, at least 1. NaN and infinities have to be at the same places, and integers and
    booleans to be equal: infinite where they are not."""
    assert ours.shape == expected.shape, f"shape {list(ours.shape)}, not {list(expected.shape)}"
    assert ours.dtype == expected.dtype, f"{ours.dtype}, not {expected.dtype}"
    finite = expected.isfinite()
    if not torch.allclose(ours[~finite], expected[~finite], equal_nan=True):
        return math.inf
    ours, expected = ours[finite], expected[finite]
    if expected.numel() == 0:
        return 0.0
    if not expected.is_floating_point():
        return 0.0 if torch.equal(ours, expected) else math.inf
    return ((ours - expected).abs().max() / max(1.0, expected.abs().max().item())).nan_to_num(
        math.inf).item()


def examples(ours, expected):
    """The elements that differ most, for a message."""
    ours, expected = ours.double(), expected.double()
    distance = torch.where(ours.eq(expected) | (ours.isnan() & expected.isnan()), 0.0,
                           (ours - expected).abs().nan_to_num(math.inf))
    worst = distance.flatten().argsort(descending=True)[:4]
    return ", ".join(f"element {n} of {list(ours.shape)} is {ours.flatten()[n].item()!r}, not "
                     f"{expected.flatten()[n].item()!r}" for n in worst.tolist())


def check_results(name, index, reference, tensors):
    """Outputs, gradients and second gradients of a case both sides accept. A gradient that one
    side leaves undefined is one of zeros."""
    case = reference.case
    groups = {"output": dict(enumerate(reference.outputs)), "grad": reference.grads,
              "second": reference.second}
    like = {"grad": {n: case.inputs[n].leaf() for n in reference.grads},
            "second": reference.second_like}
    kinds = {"output": "values", "grad": "gradients", "second": "second gradients"}
    written = [key for key in tensors if key.startswith(f"{index}/output/")]
    assert len(written) == len(reference.outputs), f"outputs {written}"
    for kind, expected in groups.items():
        for number, value in expected.items():
            ours = tensors.get(f"{index}/{kind}/{number}")
            if ours is None or value is None:
                zeros = torch.zeros_like(like[kind][number])
                ours, value = (zeros if x is None else x for x in (ours, value))
            value = value.detach()
            worst = difference(ours, value)
            detail = examples(ours, value) if worst > LIMIT else ""
            check_close(f"{kinds[kind]} of {name}", worst, LIMIT, f"{kind} {number}: {detail}")


def report(name, failures, total):
    """Fails with the first failures, one of each operation."""
    shown = {case.op: f"{case.describe()}\n{message}" for case, message in reversed(failures)}
    assert not failures, (f"{name}: {len(failures)} of {total} cases\n\n"
                          + "\n\n".join(itertools.islice(shown.values(), 12)))


def check_cases(name, cases, draw, directory):
    """All cases agree with PyTorch, to LIMIT (see difference())."""
    references = [Reference(case, draw) for case in cases]
    answers, tensors = run_program(references, directory)
    failures = []
    for index, (reference, answer) in enumerate(zip(references, answers, strict=True)):
        if reference.error is not None:
            raise AssertionError(f"not a case: {reference.case.describe()}") from reference.error
        if "error" in answer:
            failures.append((reference.case, f"{answer['error']}: {answer['message']}"))
            continue
        try:
            check_results(name, index, reference, tensors)
        except AssertionError as error:
            failures.append((reference.case, str(error)))
    report(name, failures, len(cases))
