"""Work that processes do otherwise, in this one: quicker, where there is little of it."""

import concurrent.futures
import contextlib

import cv2


class OneProcess:
    """For `processes.pool` and what it yields."""

    @staticmethod
    @contextlib.contextmanager
    def pool(prepare, *arguments):
        threads = cv2.getNumThreads()
        prepare(*arguments)
        yield OneProcess
        cv2.setNumThreads(threads)

    @staticmethod
    def submit(function, *arguments):
        future = concurrent.futures.Future()
        future.set_result(function(*arguments))
        return future
