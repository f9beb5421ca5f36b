"""All images of a batch on a dask cluster, on this machine or elsewhere."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from napari_brs.batch.inputs import BatchImage
from napari_brs.batch.records import Record
from napari_brs.batch.work import Plan, segment_image

TIMEOUT = 20
"""Seconds to wait for a scheduler."""


@contextmanager
def open_client(workers: int | None = None, scheduler: str | None = None) -> Iterator[Any]:
    """A client of a cluster that runs already, or of one on this machine for the time being.

    Parameters
    ----------
    workers : int, optional
        Processes on this machine; default one for each core, at most 8.
    scheduler : str, optional
        Address of the other cluster, such as ``tcp://10.0.0.5:8786``. Its workers need this
        package, and see the files under the same paths.

    Raises
    ------
    ValueError
        If dask is not installed.
    OSError
        If no scheduler answers there.
    """
    try:
        import distributed
    except ModuleNotFoundError as error:
        raise ValueError(f'{error}; batches need: pip install "napari-brs[batch]"') from None
    with ExitStack() as stack:
        if scheduler is None:
            cores = _cores()
            count = workers or min(cores, 8)
            scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="napari-brs-"))
            cluster = stack.enter_context(
                distributed.LocalCluster(
                    n_workers=count,
                    threads_per_worker=1,  # torch has threads of its own
                    processes=True,
                    dashboard_address="127.0.0.1:0",  # the usual port may be in use
                    local_directory=scratch,
                    env={"OMP_NUM_THREADS": str(max(1, cores // count))},
                )
            )
            yield stack.enter_context(distributed.Client(cluster))
        else:
            yield stack.enter_context(distributed.Client(scheduler, timeout=TIMEOUT))


def segment_images(client: Any, images: Sequence[BatchImage], plan: Plan) -> Iterator[Record]:
    """Segment images in the workers of a cluster; records come as the images are done.

    What a worker was doing when it died is done again by another one. An image that takes
    down several workers in turn is given up, with a record that says so.

    Parameters
    ----------
    client : distributed.Client
    images : sequence of BatchImage
    plan : Plan
    """
    import distributed

    # Sent once, not with each image, as it holds what examples teach; and a task, not scattered
    # data, so that it does not go with a worker that dies.
    shared = client.submit(_same, plan, pure=False)
    futures = {
        client.submit(segment_image, image, shared, pure=False): image.name for image in images
    }
    for future in distributed.as_completed(list(futures)):
        name = futures.pop(future)
        error = future.exception()
        yield future.result() if error is None else Record(name, error=str(error))


def _same(plan: Plan) -> Plan:
    return plan


def _cores() -> int:
    """Those that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
