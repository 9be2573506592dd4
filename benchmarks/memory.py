"""The most memory that all processes of demo.py take on a folder of huge pictures.

    python3 benchmarks/memory.py --output_dir /tmp/huge

It makes pictures of up to 200 megapixels of the astronaut (NASA, public domain), valid ones and
ones that only claim their size, has demo.py estimate them, and adds up the resident memory of its
processes 50 times a second. Linux only; takes two minutes, and 2 GB on the disk.
"""

import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from age_gender.command_line import Parser, run  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
WIDE = 16320, 12240  # 199.8 megapixels


def get_args(argv=None):
    parser = Parser(description="Measure the memory of demo.py on huge pictures.")
    parser.add_argument("--output_dir", type=Path, required=True, help="new folder")
    return parser.parse_args(argv)


def make(folder):
    """Write the pictures."""
    import cv2
    import numpy as np
    from PIL import Image
    from skimage import data

    folder.mkdir(parents=True)
    face = data.astronaut()

    def tiled(width, height):
        return np.tile(face, (height // 512 + 1, width // 512 + 1, 1))[:height, :width]

    wide = Image.fromarray(np.ascontiguousarray(tiled(*WIDE)))
    wide.save(folder / "wide.jpg")
    wide.save(folder / "wide_progressive.jpg", progressive=True)
    wide.save(folder / "wide_whole_colour.jpg", progressive=True, subsampling=0)
    wide.save(folder / "wide.png", compress_level=1)
    wide.save(folder / "wide.tif")
    wide.save(folder / "wide_lzw.tif", compression="tiff_lzw")
    wide.save(folder / "wide.bmp")
    wide.quantize(64).save(folder / "wide.gif")
    del wide
    middle = Image.fromarray(np.ascontiguousarray(tiled(10000, 8000)))
    middle.save(folder / "80.webp", quality=30, method=0)
    middle.save(folder / "80.avif", speed=10, quality=40)
    middle.save(folder / "80.png", compress_level=1)
    for number in range(4):
        Image.fromarray(tiled(6000, 4000)).save(folder / f"camera_{number}.jpg")
        Image.fromarray(tiled(8000, 6200)).save(folder / f"telephone_{number}.jpg")
    deep = tiled(6600, 6600)[:, :, ::-1].astype(np.uint16) * 257
    cv2.imwrite(str(folder / "44_deep.png"), deep, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    small = cv2.imencode(".gif", face)[1].tobytes()
    side = (32000).to_bytes(2, "little")
    (folder / "claims_1024.gif").write_bytes(small[:6] + side + side + small[10:])


def processes_of(pid):
    """A process and all that it has started."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    except OSError:
        return []
    return [pid] + [each for child in children for each in processes_of(int(child))]


def resident(pid):
    """Bytes of memory that a process holds."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * 4096
    except OSError:
        return 0


def main(argv=None):
    args = get_args(argv)
    pictures = args.output_dir / "pictures"
    make(pictures)
    command = [sys.executable, ROOT / "demo.py", "--image_dir", pictures]
    process = subprocess.Popen([*command, "--output_dir", args.output_dir / "results"])
    most = 0
    while process.poll() is None:
        most = max(most, sum(map(resident, processes_of(process.pid))))
        time.sleep(0.02)
    print(f"all processes together: {most / 1e9:.2f} GB at most")


if __name__ == "__main__":
    run(main)
