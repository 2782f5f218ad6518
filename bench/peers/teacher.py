"""All logits of a teacher stored in bfloat16, beside PyTorch in float32 and bfloat16, in turns.

python bench/peers/teacher.py [--tokens 16,64,512] [--rounds 7] [--json]
The model has random weights and takes 3.1 GB in the temporary directory (TMPDIR); the sides take
14 GB of memory together. Ours computes on the mapped file. Peaks of memory are those of the
measured rounds.
"""

import tempfile
from pathlib import Path

import rounds


def main():
    options = rounds.parse_arguments(__doc__, "qwen2.5-1.5b.json", [16, 64, 512])
    with tempfile.TemporaryDirectory() as place:
        model = Path(place) / "model"
        rounds.make_model(options.config, model, "bfloat16")
        rounds.compare(options, lambda: [
            rounds.our_side(options, "forward", model),
            rounds.torch_side(options, "float32", 1e-3, "forward", model, "float32"),
            rounds.torch_side(options, "bfloat16", 3e-2, "forward", model, "bfloat16"),
        ])


if __name__ == "__main__":
    main()
