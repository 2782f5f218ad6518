"""What PyTorch computes for each operation of operations.cpp, by the same name."""

from unittest import mock

import torch
import torch.nn.functional as F
from helpers import distillation_loss
from torch.nn.attention import SDPBackend, sdpa_kernel


def unary(function):
    return lambda x: function(x)


def binary(function):
    return lambda a, b: function(a, b)


def reduction(function):
    """No dimensions stand for all of them."""
    return lambda x, dims, **options: function(x, dim=dims or list(range(x.dim())), **options)


def along_dim(function):
    return lambda x, dim: function(x, dim)


def joined(function):
    return lambda *parts, dim: function(parts, dim)


def along(x, dim, picked):
    """An index of all dimensions that picks along one.

    A step beyond the dimension picks the first element alone, as one of its size does: PyTorch adds
    the step to the size, which overflows (step 2^63 - 2 of three: a size of -1).
    """
    index = [slice(None)] * x.dim()
    if isinstance(picked, slice) and picked.step is not None and picked.step > 0:
        start, end, step = picked.indices(x.size(dim))
        picked = slice(start, end, min(step, max(x.size(dim), 1)))
    index[dim] = picked
    return tuple(index)


def stepped_narrow(x, dim, start, length, step):
    """torch.narrow of the elements from the first to the last, and the step between them."""
    if step < 1:
        raise ValueError("a step below 1")
    span = max((length - 1) * step + 1, min(length, 0))
    return torch.narrow(x, dim, start, span)[along(x, dim, slice(None, None, step))]


def rotary_embedding(x, cos, sin, positions):
    """Hugging Face's layout: the pairs are (i, i + D/2)."""
    c, s = cos[positions].unsqueeze(-2), sin[positions].unsqueeze(-2)
    first, second = x.chunk(2, -1)
    return torch.cat([first * c - second * s, second * c + first * s], -1)


def attention(q, k, v, first_key, causal, scale):
    """Tensors [B, T, H, D]; queries see the keys from first_key to the diagonal of the end."""
    T, S, groups = q.shape[1], k.shape[1], q.shape[2] // k.shape[2]
    seen = torch.ones(q.shape[0], 1, T, S, dtype=torch.bool)
    if causal:
        seen = seen.tril(S - T)
    if first_key is not None:
        seen = seen & (torch.arange(S) >= first_key[:, None, :, None])
    heads = (q, *(x.repeat_interleave(groups, 2) for x in (k, v)))
    with sdpa_kernel(SDPBackend.MATH):
        out = F.scaled_dot_product_attention(*(x.transpose(1, 2) for x in heads), attn_mask=seen,
                                             scale=scale or None)
    return out.transpose(1, 2)


def distillation(student, teacher, labels, **options):
    """The second and third outputs are numbers."""
    loss, kl, ce = distillation_loss(student, teacher, labels, **options)
    return loss, kl.detach(), ce.detach()


def mixed(student, divergences, labels, *, temperature, alpha, reduction, sequences,
          ignore_index, **_):
    """A cross-vocabulary loss from its terms, as distillation_loss mixes them."""
    ce = F.cross_entropy(student, labels, ignore_index=ignore_index)
    count = sequences if reduction == "batchmean" else max(1, len(divergences))
    total = sum(divergences, start=0 * student.sum())
    divergence = total * temperature**2 / count
    return alpha * divergence + (1 - alpha) * ce, divergence.detach(), ce.detach()


def alm(x, weight, predicted, chunks, teacher, labels, *, temperature, tau, **options):
    """Of chunks [K, 2] of rows and the logarithms [K] of a teacher's likelihoods of them."""
    student = x @ weight.T

    def log_p(row):  # log_softmax loses the digits of 1 - p
        z = student[row] / temperature
        others = torch.arange(len(z)) != predicted[row]
        return -torch.log1p(torch.exp(z[others] - z[predicted[row]]).sum())

    terms = []
    for (begin, end), of_teacher in zip(chunks.tolist(), teacher, strict=True):
        a = sum(log_p(row) for row in range(begin, end)) / tau
        p = torch.exp(of_teacher / tau)
        terms.append(-(p * a + (1 - p) * torch.log(-torch.expm1(a))))
    return mixed(student, terms, labels, temperature=temperature, **options)


def uld(x, weight, teacher, rows, labels, *, temperature, **options):
    """Row i of the student beside row rows[i] of the teacher; negative: none."""
    student = x @ weight.T
    size = max(student.shape[1], teacher.shape[1])
    terms = []
    for row, counterpart in enumerate(rows.tolist()):
        if counterpart < 0:
            continue
        sides = [F.pad(torch.softmax(z / temperature, -1).sort(descending=True).values,
                       (0, size - len(z))) for z in (student[row], teacher[counterpart])]
        terms.append((sides[0] - sides[1]).abs().sum())
    return mixed(student, terms, labels, temperature=temperature, **options)


def updated(optimizer, x, gradients):
    """The parameter after a step with each gradient, at learning rates that fall as 1 / step."""
    parameter = torch.nn.Parameter(x.clone())
    stepper = optimizer([parameter])
    schedule = torch.optim.lr_scheduler.LambdaLR(stepper, lambda step: 1 / (1 + step))
    for gradient in gradients:
        parameter.grad = gradient.clone()
        stepper.step()
        schedule.step()
    return parameter.detach()


def adamw(x, *gradients, lr, beta1, beta2, eps, weight_decay):
    return updated(lambda p: torch.optim.AdamW(p, lr=lr, betas=(beta1, beta2), eps=eps,
                                               weight_decay=weight_decay), x, gradients)


class Muon(torch.optim.Optimizer):
    """The published update, composed: Newton-Schulz by Jordan (https://kellerjordan.github.io/
    posts/muon/), scale and decay by Liu et al. (arXiv:2502.16982)."""

    def __init__(self, parameters, lr, weight_decay, momentum):
        super().__init__(parameters, {"lr": lr, "weight_decay": weight_decay,
                                      "momentum": momentum})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            momentum, lr = group["momentum"], group["lr"]
            for p in group["params"]:
                buffer = self.state[p].setdefault("buffer", torch.zeros_like(p))
                buffer.mul_(momentum).add_((1 - momentum) * p.grad)
                x = momentum * buffer + (1 - momentum) * p.grad
                x = x / max(x.norm().item(), 1e-7)
                tall = x.size(0) > x.size(1)
                x = x.T if tall else x
                for _ in range(5):
                    gram = x @ x.T
                    x = 3.4445 * x - 4.7750 * gram @ x + 2.0315 * gram @ gram @ x
                x = x.T if tall else x
                p.mul_(1 - lr * group["weight_decay"])
                p.sub_(lr * 0.2 * max(p.shape) ** 0.5 * x)


def muon(x, *gradients, lr, weight_decay, momentum):
    """The composition, which has to be torch.optim.Muon's where that is kept from bfloat16."""
    composed = updated(lambda p: Muon(p, lr, weight_decay, momentum), x, gradients)
    if hasattr(torch.optim, "Muon"):
        with mock.patch.object(torch.Tensor, "bfloat16", torch.Tensor.clone):
            own = updated(lambda p: torch.optim.Muon(
                p, lr=lr, weight_decay=weight_decay, momentum=momentum,
                adjust_lr_fn="match_rms_adamw"), x, gradients)
        torch.testing.assert_close(composed, own, rtol=1e-10, atol=1e-10)
    return composed


OPERATIONS = {
    # Functions of one variable.
    "exp": unary(torch.exp),
    "log": unary(torch.log),
    "sqrt": unary(torch.sqrt),
    "rsqrt": unary(torch.rsqrt),
    "tanh": unary(torch.tanh),
    "sigmoid": unary(torch.sigmoid),
    "silu": unary(F.silu),
    "gelu": unary(F.gelu),
    "relu": unary(torch.relu),
    "abs": unary(torch.abs),
    "neg": unary(torch.neg),
    "clamp": lambda x, low, high: torch.clamp(x, low, high),
    "pow_number": lambda x, value: torch.pow(x, value),
    # Arithmetic.
    "add": binary(torch.add),
    "sub": binary(torch.sub),
    "mul": binary(torch.mul),
    "div": binary(torch.div),
    "maximum": binary(torch.maximum),
    "minimum": binary(torch.minimum),
    "where": torch.where,
    "pow": binary(torch.pow),
    "add_number": lambda x, value: x + value,
    "sub_number": lambda x, value: x - value,
    "mul_number": lambda x, value: x * value,
    "div_number": lambda x, value: x / value,
    "number_sub": lambda x, value: value - x,
    "number_div": lambda x, value: value / x,
    "number_pow": lambda x, value: torch.pow(value, x),
    # Products.
    "matmul": binary(torch.matmul),
    "linear": F.linear,
    # Views.
    "reshape": lambda x, shape: torch.reshape(x, shape),
    "permute": lambda x, dims: torch.permute(x, dims),
    "transpose": lambda x, a, b: torch.transpose(x, a, b),
    "narrow": stepped_narrow,
    "view": lambda x, shape: x.view(shape),
    "slice": lambda x, dim, start, end, step: x[along(x, dim, slice(start, end, step))],
    "select": lambda x, dim, index: torch.select(x, dim, index),
    "expand": lambda x, shape: x.expand(shape),
    "unsqueeze": along_dim(torch.unsqueeze),
    "squeeze": along_dim(torch.squeeze),
    # Joins.
    "cat": joined(torch.cat),
    "stack": joined(torch.stack),
    "split": lambda x, length, dim: torch.split(x, length, dim),
    # Indices.
    "index_select": lambda x, index, dim: torch.index_select(x, dim, index),
    "gather": lambda x, index, dim: torch.gather(x, dim, index),
    "scatter_add": lambda x, index, source, dim: torch.scatter_add(x, dim, index, source),
    "embedding": lambda weight, ids: F.embedding(ids, weight),
    # Reductions.
    "sum": reduction(torch.sum),
    "mean": reduction(torch.mean),
    "amax": reduction(torch.amax),
    "amin": reduction(torch.amin),
    "logsumexp": reduction(torch.logsumexp),
    "var": reduction(torch.var),
    "softmax": along_dim(torch.softmax),
    "log_softmax": along_dim(torch.log_softmax),
    # What models are made of.
    "rms_norm": lambda x, weight, eps: F.rms_norm(x, x.shape[-1:], weight, eps),
    "layer_norm": lambda x, weight, bias, eps: F.layer_norm(x, x.shape[-1:], weight, bias, eps),
    "rotary_embedding": rotary_embedding,
    "attention": attention,
    "swiglu": lambda gate, up: F.silu(gate) * up,
    # Losses.
    "mse_loss": lambda input, target, reduction: F.mse_loss(input, target, reduction=reduction),
    "kl_div": lambda log_input, target, reduction, log_target: F.kl_div(
        log_input, target, reduction=reduction, log_target=log_target),
    "nll_loss": lambda x, labels, ignore_index, reduction: F.nll_loss(
        x, labels, ignore_index=ignore_index, reduction=reduction),
    "cross_entropy": lambda logits, labels, ignore_index, reduction: F.cross_entropy(
        logits, labels, ignore_index=ignore_index, reduction=reduction),
    "distillation_loss": distillation,
    "linear_cross_entropy": lambda x, weight, labels, ignore_index: F.cross_entropy(
        x @ weight.T, labels, ignore_index=ignore_index),
    "linear_distillation_loss": lambda x, weight, teacher, labels, **options: distillation(
        x @ weight.T, teacher, labels, **options),
    "linear_alm_loss": alm,
    "linear_uld_loss": uld,
    # Without gradients.
    "eq": binary(torch.eq),
    "lt": binary(torch.lt),
    "le": binary(torch.le),
    "ne": binary(torch.ne),
    "gt": binary(torch.gt),
    "ge": binary(torch.ge),
    "argmax": lambda x, dim, keepdim: torch.argmax(x, dim, keepdim),
    "argmin": lambda x, dim, keepdim: torch.argmin(x, dim, keepdim),
    "sort": lambda x, dim, descending: torch.sort(
        x, dim=dim, descending=descending, stable=True),
    "topk": lambda x, k, dim, largest: torch.topk(x, k, dim, largest),
    "cumsum": along_dim(torch.cumsum),
    "tril": lambda x, diagonal: torch.tril(x, diagonal),
    "triu": lambda x, diagonal: torch.triu(x, diagonal),
    "adamw": adamw,
    "muon": muon,
    "arange": lambda start, end, step, dtype: torch.arange(
        start, end, step, dtype={"I64": torch.int64, "F64": torch.float64}[dtype]),
}
