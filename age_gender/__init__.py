"""Ages and genders of the faces in pictures.

    from age_gender import estimate
    for face in estimate("party.jpg"):
        print(face.box, face.age, face.interval, face.gender, face.probability)

`estimate` uses the weights that ship; `FaceEstimator` takes others. An error of a picture or a
weight file is a `UserError`, whose message names it; a picture that cannot be read is an
`UnreadablePicture`, which is one. Importing this package loads nothing: names are imported when
they are first used.
"""

import importlib
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
    # what memory.apply_option has set holds in processes that are started, too
    OPENCV_IO_MAX_IMAGE_PIXELS=os.environ.setdefault("AGE_GENDER_MAX_MEGAPIXELS", "200") + "000000",
    HDF5_USE_FILE_LOCKING="FALSE",  # files are written under other names; not all systems have it
)

_MODULES = {
    "EstimatedFace": "face_estimator",
    "FaceEstimator": "face_estimator",
    "UnreadablePicture": "pictures",
    "UserError": "command_line",
    "estimate": "face_estimator",
}
__all__ = list(_MODULES)


def __getattr__(name):
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
