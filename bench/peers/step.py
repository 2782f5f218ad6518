"""The training step beside PyTorch's, eager and compiled, in turns: medians of the ratios.

python bench/peers/step.py [--tokens 16,64,512] [--rounds 7] [--json]
Forward, cross-entropy, backward, clipping to norm 1 and AdamW of the same weights and ids; PyTorch
with transformers' model, its sdpa attention and its fused AdamW. Peaks of memory are those of the
measured rounds.
"""

import tempfile
from pathlib import Path

import rounds


def main():
    options = rounds.parse_arguments(__doc__, "gladius-125m.json", [16, 64, 512])
    with tempfile.TemporaryDirectory() as place:
        model = Path(place) / "model"
        rounds.make_model(options.config, model, "float32")
        rounds.compare(options, lambda: [
            rounds.our_side(options, "train", model),
            rounds.torch_side(options, "eager", 1e-4, "train", model),
            rounds.torch_side(options, "compiled", 1e-4, "train", model, "compiled"),
        ])


if __name__ == "__main__":
    main()
