"""The training step beside PyTorch's, eager and compiled, in turns: medians of the ratios.

python bench/peers/step.py [--tokens 16,64,512] [--rounds 7] [--json]
Forward, cross-entropy, backward, clipping to norm 1 and AdamW, from the same weights and ids;
PyTorch with transformers' model, its sdpa attention and its fused AdamW. Peaks of memory are those
of the measured rounds. Ratios over 1: ours is faster; < marks the faster of PyTorch's.
"""

import rounds


def main():
    parser = rounds.argument_parser(__doc__, "gladius-125m.json")
    parser.add_argument("--eager", action="store_true",
                        help="without torch.compile, which needs g++ and time")
    options = parser.parse_args()
    modes = ["eager"] if options.eager else ["eager", "compiled"]
    with rounds.model_directory(options, "float32") as model:
        rounds.compare(options, model, lambda: [
            rounds.our_side(options, "train", model),
            *(rounds.torch_side(options, mode, 1e-4, "train", model, mode) for mode in modes),
        ], warm_up=2)


if __name__ == "__main__":
    main()
