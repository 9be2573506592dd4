"""Age and gender of faces in pictures, videos and camera streams."""

__version__ = "1.0.0"
