import cv2
import numpy as np
import pytest

from age_gender.data import duplicates


def thumbnails(pictures):
    return np.stack([duplicates.thumbnail(picture) for picture in pictures])


def landscape(seed, size=64):
    """A smooth random picture; no two seeds look alike."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)


def test_byte_identical_rows_share_a_group_numbered_by_first_row():
    digests = np.array([[number] * 32 for number in (9, 3, 9, 200, 3, 3)], np.uint8)
    assert duplicates.byte_identical(digests).tolist() == [0, 1, 0, 2, 1, 1]


def test_picture_stored_again_scaled_or_recoloured_is_alike():
    picture = landscape(0)
    jpeg = cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 30])[1], 1)
    smaller = cv2.resize(cv2.resize(picture, (40, 40)), (64, 64))
    darker = (picture * 0.6 + 10).astype(np.uint8)
    grey = cv2.cvtColor(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    pictures = [picture, landscape(1), jpeg, smaller, landscape(2), darker, grey]
    groups = duplicates.alike(thumbnails(pictures), np.arange(7))
    assert groups.tolist() == [0, 1, 0, 0, 2, 0, 0]


def test_every_alike_pair_among_thousands_is_found(monkeypatch):
    monkeypatch.setattr(duplicates, "TILE", 64)
    rng = np.random.default_rng(0)
    pictures = [landscape(seed) for seed in range(900)]
    copies = rng.permutation(900)[:300]
    for row in copies:
        noise = rng.normal(0, 4, (64, 64, 3))
        pictures.append(np.clip(pictures[row] + noise, 0, 255).astype(np.uint8))
    groups = duplicates.alike(thumbnails(pictures), np.arange(1200))
    assert groups[:900].tolist() == list(range(900))
    assert groups[900:].tolist() == copies.tolist()


def test_groups_that_a_picture_links_become_one():
    pictures = [landscape(0), landscape(1), landscape(0), landscape(2)]
    groups = duplicates.alike(thumbnails(pictures), np.array([0, 1, 2, 2]))
    assert groups.tolist() == [0, 1, 0, 0]


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_or_even_pictures_are_not_alike(count):
    even = np.full((count, 16, 16), 7, np.uint8)
    assert duplicates.alike(even, np.arange(count)).tolist() == list(range(count))


def test_conflicting_groups_differ_in_age_or_gender():
    groups = np.array([0, 0, 1, 1, 2, 2, 3])
    ages = np.array([5, 5, 30, 31, 8, 8, 80])
    genders = np.array([0, 0, 1, 1, 0, 1, 1])
    assert duplicates.conflicting(groups, ages, genders).tolist() == [1, 2]


def test_all_duplicates_of_utkface_with_other_labels_are_found(shared):
    """The real pictures: 312 groups of identical files, of which 181 differ in their labels."""
    import hashlib
    import tarfile

    from age_gender.data.utkface import labels_of

    digests, labels, raw = [], [], []
    for tar in ("utkface_1.tar", "utkface_2.tar"):
        with tarfile.open(shared / tar) as pictures:
            for member in pictures:
                if member.name.endswith(".jpg"):
                    content = pictures.extractfile(member).read()
                    digests.append(np.frombuffer(hashlib.sha256(content).digest(), np.uint8))
                    name = member.name.rsplit("/", 1)[1]
                    labels.append(labels_of(name))
                    raw.append(int(name.split("_")[0]))
    groups = duplicates.byte_identical(np.stack(digests))
    assert (np.bincount(groups) > 1).sum() == 312
    conflicting = duplicates.conflicting(groups, *np.array(labels).T)
    assert len(conflicting) == 181
    raw = np.array(raw)
    assert {80, 103} in [set(raw[groups == group].tolist()) for group in conflicting]
