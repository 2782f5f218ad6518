"""`gladius gradients` against PyTorch's autograd: the loss and every parameter's gradient."""

import pytest
import torch
from helpers import (FAMILIES, check_close, csv, distillation_loss, gladius, load_reference, random_config,
                     random_ids, random_labels, random_model, relative_norm, save_logits,
                     save_model, torch_generator)
from safetensors.torch import load_file


def check_gradients(name, path, ids, labels, out, teacher=None, *options, **loss_options):
    gladius("gradients", "--model", path, "--ids", csv(ids), f"--labels={csv(labels)}", "--out",
            out, *options)
    ours = load_file(out)
    model = load_reference(path)
    loss, _, _ = distillation_loss(model(torch.tensor([ids])).logits[0], teacher,
                                   torch.tensor(labels), **loss_options)
    loss.backward()
    assert ours["loss"].shape == (1,)
    check_close(f"loss of {name}", relative_norm(ours.pop("loss"), loss.detach()), 1e-4)

    expected = {key: parameter.grad for key, parameter in model.named_parameters()}
    assert set(ours) == set(expected)
    whole = torch.linalg.vector_norm(torch.cat([grad.flatten() for grad in expected.values()]))
    for key, grad in expected.items():
        assert ours[key].shape == grad.shape, key
        # The floor: rounding is all there is in a gradient that vanishes beside the others.
        difference = relative_norm(ours[key], grad, floor=1e-4 * whole.item())
        assert difference <= 1e-3, key
        check_close(f"gradient of {name}", difference, 1e-3)


def saved_model(rng, tmp_path, **fixed):
    config = random_config(rng, **fixed)
    return save_model(random_model(rng, config), tmp_path / "model"), config.vocab_size


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("groups", [1, 2, 4])
def test_cross_entropy(groups, family, rng, tmp_path):
    path, vocab = saved_model(rng, tmp_path, family=family, groups=groups)
    length = rng.randint(2, 120)
    check_gradients("cross-entropy", path, random_ids(rng, vocab, length),
                    random_labels(rng, vocab, length), tmp_path / "out")


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("reduction", ["mean", "batchmean"])
@pytest.mark.parametrize("teacher_vocab", ["equal", "wider", "narrower"])
def test_distillation(teacher_vocab, reduction, family, rng, tmp_path):
    path, vocab = saved_model(rng, tmp_path, family=family)
    length = rng.randint(2, 120)
    extra = {"equal": 0, "wider": rng.randint(1, 50), "narrower": -rng.randint(1, vocab - 2)}
    teacher = 3 * torch.randn(length, vocab + extra[teacher_vocab],
                              generator=torch_generator(rng))
    teacher_file = save_logits(tmp_path / "teacher", teacher)
    temperature = rng.choice([1.0, 2.0, 4.0, round(rng.uniform(0.7, 5), 3)])
    alpha = rng.choice([0.0, 0.5, 1.0, round(rng.random(), 3)])
    divergence = {"divergence": rng.choice(["forward_kl", "reverse_kl", "jsd", "skew_kl"]),
                  "beta": round(rng.uniform(0.05, 0.95), 3), "tokens": rng.choice(["all", "labelled"])}
    options = [text for key, value in divergence.items() for text in (f"--{key}", value)]
    check_gradients(
        "distillation", path, random_ids(rng, vocab, length), random_labels(rng, vocab, length),
        tmp_path / "out", teacher, "--teacher-logits", teacher_file, "--temperature", temperature,
        "--alpha", alpha, "--reduction", reduction, *options, temperature=temperature, alpha=alpha,
        reduction=reduction, **divergence)


def test_defaults_are_the_cards(rng, tmp_path):
    """Temperature 2, alpha 0.5."""
    path, vocab = saved_model(rng, tmp_path)
    ids, labels = random_ids(rng, vocab, 20), random_labels(rng, vocab, 20)
    teacher = torch.randn(20, vocab, generator=torch_generator(rng))
    teacher_file = save_logits(tmp_path / "teacher", teacher)
    check_gradients("distillation", path, ids, labels, tmp_path / "out", teacher,
                    "--teacher-logits", teacher_file, "--reduction", "batchmean",
                    temperature=2, alpha=0.5, reduction="batchmean")
