"""The talk with a box's server, when the server is late, ends or sends what is no frame."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from pytest_llmbench.sandbox.box import Channel
from pytest_llmbench.sandbox.inside import frames
from pytest_llmbench.sandbox.protocol import SandboxError


@dataclass
class Far:
    """A server's ends of the pipes, played by the test."""

    channel: Channel
    requests: int
    replies: int
    complaints: int


@pytest.fixture
def far() -> Iterator[Far]:
    """A channel to nobody but the test."""
    server_requests, requests = os.pipe()
    replies, server_replies = os.pipe()
    complaints, server_complaints = os.pipe()
    channel = Channel(requests, replies, complaints, end=lambda: None)
    yield Far(channel, server_requests, server_replies, server_complaints)
    channel.close()
    for fd in (server_requests, server_replies, server_complaints):
        os.close(fd)


def test_a_reply_that_comes_too_late_answers_no_other_request(far: Far) -> None:
    with pytest.raises(
        SandboxError, match=r"^the box broke: the other side did not answer in time"
    ):
        far.channel.ask([b"first"], patience_s=0.0)
    frames.write_frame(far.replies, [b"answer to first"])
    with pytest.raises(
        SandboxError, match=r"^the box broke: the other side did not answer in time"
    ):
        far.channel.ask([b"second"])
    assert frames.read_frame(far.requests, max_bytes=100) == [b"first"]


def test_nothing_is_asked_after_a_reply_that_is_too_long(far: Far) -> None:
    frames.write_frame(far.replies, [b"x" * 100])
    frames.write_frame(far.replies, [b"short"])
    for _ in range(2):
        with pytest.raises(SandboxError, match=r"^the box broke: a frame of 104 bytes where at "):
            far.channel.ask([b"list"], most_bytes=10)


def test_a_servers_complaint_stays_the_reason(far: Far) -> None:
    os.write(far.complaints, b"no such\nfolder")
    for _ in range(2):
        with pytest.raises(SandboxError, match=r"^the box broke: no such folder$"):
            far.channel.ask([b"list"], patience_s=0.0)


def test_a_reply_after_an_interruption_answers_no_other_request(far: Far) -> None:
    """As by a test's timeout, which is raised out of whatever it interrupts."""

    class Interruption(BaseException):
        pass

    def interrupt(_signal: int, _frame: object) -> None:
        raise Interruption

    usual = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(Interruption):
            far.channel.ask([b"first"])
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, usual)
    frames.write_frame(far.replies, [b"answer to first"])
    with pytest.raises(SandboxError, match=r"^the box broke: a request was interrupted$"):
        far.channel.ask([b"second"])
