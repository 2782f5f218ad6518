"""The training step beside PyTorch's in every precision, eager and compiled, in turns: medians.

python bench/peers/step.py [--tokens 16,64,512,2048] [--rounds 7] [--precision all] [--json]
Forward, cross-entropy, backward, clipping to norm 1 and AdamW, from the same weights and ids;
PyTorch with transformers' model, its sdpa attention and its fused AdamW: in float32, with autocast
to bfloat16 (float32 weights) and as a model of bfloat16. The loss is the last round's, whose text is
the same as in each before: speed bought with accuracy shows there. Peaks of memory are those of the
measured rounds. Ratios: the time over that of our fastest; < marks the faster of PyTorch's.
"""

import rounds

# How far the first loss may be from ours in float32.
TOLERANCES = {"float32": 1e-4, "autocast": 1e-2, "bfloat16": 1e-2}


def main():
    parser = rounds.argument_parser(__doc__, "gladius-125m.json")
    parser.add_argument("--eager", action="store_true",
                        help="without torch.compile, which needs g++ and time")
    parser.add_argument("--precision", choices=["float32", "all"], default="all")
    options = parser.parse_args()
    precisions = TOLERANCES if options.precision == "all" else ["float32"]
    modes = ["eager"] if options.eager else ["eager", "compiled"]
    with rounds.model_directory(options, "float32") as model:
        rounds.compare(options, model, lambda: [
            rounds.our_side(options, "train", model),
            *([rounds.our_side(options, "train", model, "bf16", TOLERANCES["autocast"])]
              if options.precision == "all" else []),
            *(rounds.torch_side(options, f"{precision} {mode}", TOLERANCES[precision], "train",
                                model, precision, mode)
              for precision in precisions for mode in modes),
        ], warm_up=2)


if __name__ == "__main__":
    main()
