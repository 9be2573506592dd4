"""Weights become a file for phones, browsers and other programs, with its preprocessing inside.

    python3 export.py --output age.tflite
    python3 export.py --weight_file weights.hdf5 --output age.onnx --float16

docs/export.md shows what to do with it.
"""

from age_gender.start import run

from pathlib import Path

from age_gender.command_line import Parser, option


def get_args(argv=None):
    parser = Parser(
        description="Convert weights to LiteRT (.tflite), ONNX or SavedModel.",
        trains=lambda args: True,
    )
    parser.add_argument(
        "--weight_file",
        help="weight file, or the name of published weights; by default the weights that ship",
    )
    parser.add_argument(
        "--output",
        "-o",
        type=Path,
        required=True,
        help="what to write: a file that ends in .tflite or .onnx, or a folder (SavedModel)",
    )
    parser.add_argument(
        "--float16",
        action="store_true",
        help="store the weights in half precision, which halves the size",
    )
    parser.add_argument(
        "--colour", choices=("rgb", "bgr"), default="rgb", help="order of the faces' channels"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an existing output")
    return parser.parse_args(argv)


def main(argv=None):
    args = get_args(argv)
    from age_gender import weights
    from age_gender.conversion import converter, formats

    with option("--output"):
        kind = formats.of(args.output, args.overwrite)
    with option("--weight_file"):
        source = weights.load(args.weight_file)
    difference, faces = converter.convert(source, args.output, kind, args.colour, args.float16)
    precision = "float16" if args.float16 else "float32"
    print(
        f"{args.output}  {kind.name} {precision} {args.colour}  {converter.size(args.output)} bytes"
        f"  largest difference to Keras {difference}  on {faces}"
    )


if __name__ == "__main__":
    run(main)
