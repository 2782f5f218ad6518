"""PyTorch's side of step.py and teacher.py, with transformers' models.

torch_side.py make CONFIG DIRECTORY DTYPE    writes a random model
torch_side.py train DIRECTORY [PRECISION] [compiled]
                                             a training step of each line of token ids on standard
                                             input, answered as by model_peer; PRECISION: float32,
                                             autocast (to bfloat16) or bfloat16 (the whole model)
torch_side.py forward DIRECTORY DTYPE        all logits of each line
"""

import ctypes
import json
import os
import shutil
import sys
import time
from pathlib import Path

os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_VERBOSITY="error",
                  HF_HUB_DISABLE_PROGRESS_BARS="1")

import torch
import transformers


def make(config, directory, dtype):
    directory = Path(directory)
    directory.mkdir()
    shutil.copy(config, directory / "config.json")
    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_config(
        transformers.AutoConfig.from_pretrained(directory), dtype=getattr(torch, dtype))
    model.save_pretrained(directory)


def load(directory, dtype):
    model = transformers.AutoModelForCausalLM.from_pretrained(
        directory, dtype=getattr(torch, dtype), attn_implementation="sdpa")
    for parameter in model.parameters():
        parameter.data = parameter.data.clone()  # in memory, not in the file's mapping
    ctypes.CDLL(None).malloc_trim(0)  # what loading took is not of the work
    return model


def trainer(directory, precision="float32", mode="eager"):
    model = load(directory, "bfloat16" if precision == "bfloat16" else "float32").train()
    parameters = list(model.parameters())
    optimizer = torch.optim.AdamW(parameters, lr=1e-4, fused=True)

    def loss_of(ids):
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "autocast"):
            logits = model(ids, use_cache=False).logits
        return torch.nn.functional.cross_entropy(logits[0].float(), ids[0])

    if mode == "compiled":
        loss_of = torch.compile(loss_of, dynamic=False)

    def step(ids):
        loss = loss_of(ids)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        return loss

    return step, torch.Tensor.item


def teacher(directory, dtype):
    model = load(directory, dtype).eval()

    @torch.inference_mode()
    def forward(ids):
        return model(ids, use_cache=False).logits

    return forward, lambda logits: logits.float().square().mean().sqrt().item()


def answer_lines(work, result_of):
    for line in sys.stdin:
        ids = torch.tensor([[int(word) for word in line.split()]])
        start = time.perf_counter()
        made = work(ids)
        seconds = time.perf_counter() - start
        print(json.dumps({"seconds": seconds, "result": result_of(made)}), flush=True)


if __name__ == "__main__":
    command, *arguments = sys.argv[1:]
    if command == "make":
        make(*arguments)
    else:
        answer_lines(*{"train": trainer, "forward": teacher}[command](*arguments))
