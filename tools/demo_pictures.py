"""Two real pictures to try the demo on, copied out of scikit-image's package.

    python3 -m tools.demo_pictures demo_pictures

The astronaut Eileen Collins (NASA, public domain), and a cup of coffee (CC0), which has no face.
"""

from age_gender.start import run

from pathlib import Path

from age_gender.command_line import Parser


def get_args(argv=None):
    parser = Parser(description="Copy scikit-image's pictures for the demo.")
    parser.add_argument("folder", type=Path, help="folder to put them in")
    return parser.parse_args(argv)


def main(argv=None):
    args = get_args(argv)
    import cv2
    from skimage import data

    args.folder.mkdir(parents=True, exist_ok=True)
    for name in ("astronaut", "coffee"):
        picture = cv2.cvtColor(getattr(data, name)(), cv2.COLOR_RGB2BGR)
        (args.folder / f"{name}.png").write_bytes(cv2.imencode(".png", picture)[1])


if __name__ == "__main__":
    run(main)
