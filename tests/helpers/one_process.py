"""Work that processes do otherwise, in this one: quicker, where there is little of it."""

import contextlib

import cv2

from age_gender.processes import attempt


class OneProcess:
    """For `processes.pool` and what it yields."""

    @classmethod
    @contextlib.contextmanager
    def pool(cls, prepare, *arguments, most=None, fork=False):
        threads = cv2.getNumThreads()
        prepare(*arguments)
        yield cls
        cv2.setNumThreads(threads)

    @staticmethod
    def submit(function, *arguments):
        return attempt(function, *arguments)

    @staticmethod
    def wait(task):
        return task

    @staticmethod
    def close():
        pass
