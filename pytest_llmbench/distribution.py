"""Which item runs when, and on which worker of pytest-xdist."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from pytest_llmbench.models import Model
from pytest_llmbench.providers.protocol import Endpoint

if TYPE_CHECKING:
    import pytest
    from xdist.scheduler import LoadScopeScheduling

Entry = TypeVar("Entry")


def order_by_lane(
    entries: Sequence[Entry],
    find_model: Callable[[Entry], Model],
    find_endpoint: Callable[[Model], Endpoint],
    models: Sequence[Model],
) -> list[Entry]:
    """Tests in the order in which their answers will be there.

    Each model's tests stand together, in the order that they had, so that a local server loads
    each model once. Answers that are there already come first, then servers that answer several
    questions at a time: they are done while the others work. Of several servers each gives its
    share in turn, since they work at once.
    """
    place = {model.label: number for number, model in enumerate(models)}
    lanes: dict[tuple[int, str], list[Entry]] = defaultdict(list)
    for entry in entries:
        endpoint = find_endpoint(find_model(entry))
        rank = 0 if endpoint.kind == "offline" else 1 if endpoint.concurrency > 1 else 2
        lanes[rank, endpoint.address if endpoint.kind != "offline" else ""].append(entry)
    for lane in lanes.values():
        lane.sort(key=lambda entry: place[find_model(entry).label])
    turns = [
        (rank, (turn + 1) / len(lane), entry)
        for (rank, _), lane in lanes.items()
        for turn, entry in enumerate(lane)
    ]
    turns.sort(key=lambda turn: turn[:2])
    return [entry for _, _, entry in turns]


def make_scheduling(
    config: pytest.Config, log: Any, addresses: Mapping[str, str]
) -> LoadScopeScheduling:
    """A scheduler that keeps all items of one endpoint on one worker.

    `addresses` maps the label of each model that is asked over a network to its endpoint.
    """
    from xdist.scheduler import LoadScopeScheduling  # noqa: PLC0415  # only under -n

    labels = sorted(addresses, key=len, reverse=True)
    escaped = {_as_in_nodeids(label): addresses[label] for label in labels}
    pattern = re.compile(
        rf"(?<=[\[-])({'|'.join(map(re.escape, escaped))})(?=[\]-])" if escaped else "(?!)"
    )

    class EndpointScheduling(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
        def _split_scope(self, nodeid: str) -> str:
            match = pattern.search(nodeid)
            return nodeid if match is None else escaped[match[1]]

    return EndpointScheduling(config, log)


def _as_in_nodeids(label: str) -> str:
    return label.encode("unicode_escape").decode("ascii")
