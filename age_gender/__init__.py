"""Age and gender of faces in pictures, videos and camera streams.

Imported before anything else, so that what it sets is there when libraries are loaded; light.
"""

import os
import sys

__version__ = "1.0.0"
OLDEST_PYTHON = (3, 11)

if sys.version_info < OLDEST_PYTHON:
    name, (major, minor) = os.path.basename(sys.argv[0]), sys.version_info[:2]
    print(
        f"{name}: error: Python {major}.{minor} is too old: use 3.11, 3.12 or 3.13", file=sys.stderr
    )
    sys.exit(2)

# What others have set for OpenCV and HDF5 is not for this program.
os.environ.update(
    OPENCV_IO_ENABLE_OPENEXR="1",
    OPENCV_LOG_LEVEL="OFF",
    OPENCV_FFMPEG_LOGLEVEL="-8",
    HDF5_USE_FILE_LOCKING="FALSE",  # files are written under other names; not all systems have it
)
