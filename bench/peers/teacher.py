"""All logits of a bfloat16 teacher beside PyTorch's in float32 and bfloat16, in turns: medians.

python bench/peers/teacher.py [--tokens 16,64,512] [--rounds 7] [--json]
Ours computes on the mapped file. The random model of Qwen2.5-1.5B's sizes takes 3.1 GB of the
temporary directory (TMPDIR), the sides 14 GB of memory together. Peaks of memory are those of the
measured rounds. Ratios: the time over that of our fastest; < marks the faster of PyTorch's.
"""

import rounds

TOLERANCES = {"float32": 1e-3, "bfloat16": 3e-2}  # of PyTorch's logits, by their dtype


def main():
    options = rounds.argument_parser(__doc__, "qwen2.5-1.5b.json").parse_args()
    with rounds.model_directory(options, "bfloat16") as model:
        rounds.compare(options, model, lambda: [
            rounds.our_side(options, "forward", model),
            rounds.our_side(options, "forward", model, "bf16", TOLERANCES["bfloat16"]),
            *(rounds.torch_side(options, dtype, tolerance, "forward", model, dtype)
              for dtype, tolerance in TOLERANCES.items()),
        ], warm_up=1)


if __name__ == "__main__":
    main()
