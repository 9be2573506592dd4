"""Tiny pictures, databases and videos under the names that data sets use."""

import cv2
import numpy as np

import create_db_utkface


def write_chips(folder, count=40, size=48, seed=0):
    """UTKFace-like chips: noise pictures whose brightness tells the age, under UTKFace's names."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        age, sex = int(rng.integers(1, 90)), int(rng.integers(2))
        picture = np.clip(rng.normal(60 + 1.5 * age, 20, (size, size, 3)), 0, 255).astype(np.uint8)
        name = f"{age}_{sex}_0_{20170100000000000 + number}.jpg.chip.jpg"
        cv2.imwrite(str(folder / name), picture)
    return folder


def write_database(path, chips, size=32):
    """The database of a folder of chips, with faces of ``size`` pixels."""
    create_db_utkface.main(["-i", str(chips), "-o", str(path), "--img_size", str(size)])
    return path


def write_video(path, picture, count, rate=10):
    """A video (MJPG in .avi) of one picture, its size; it moves a pixel with each frame."""
    size = picture.shape[1::-1]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), rate, size)
    for number in range(count):
        writer.write(np.roll(picture, number, 1))
    writer.release()
    return path


def write_appa_real(folder, count=10, size=48, parts=("train",)):
    """A tree like APPA-REAL's: noise, apparent ages from 20 up, real ones two years more."""
    rng = np.random.default_rng(0)
    for part in parts:
        (folder / part).mkdir(parents=True, exist_ok=True)
        lines = ["file_name,num_ratings,apparent_age_avg,apparent_age_std,real_age"]
        for number in range(count):
            picture = rng.integers(0, 256, (size, size, 3), np.uint8)
            name = f"{number:06d}.jpg"
            cv2.imwrite(str(folder / part / f"{name}_face.jpg"), picture)
            lines.append(f"{name},38,{20.2 + number},4.5,{22 + number}")
        (folder / f"gt_avg_{part}.csv").write_text("\n".join(lines) + "\n")
    return folder


def person(seed):
    """A face that looks like itself, (64, 64, 3): smooth noise."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (6, 6, 3), np.uint8)
    return cv2.resize(small, (64, 64), interpolation=cv2.INTER_CUBIC)
