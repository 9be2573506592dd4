"""What several tests, and a benchmark, need beside fixtures."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
