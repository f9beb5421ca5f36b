"""The cheapest cut of a graph, by maximum flow."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

UNCUTTABLE = 1e5
"""A capacity that no cheapest cut goes through."""
_STEPS = 1000
"""Integer flow per unit of capacity."""


def min_cut(
    source: NDArray[np.floating],
    sink: NDArray[np.floating],
    start: NDArray[np.integer],
    end: NDArray[np.integer],
    capacity: NDArray[np.floating],
) -> NDArray[np.bool_]:
    """Which nodes lie on the source's side of the cheapest cut.

    Parameters
    ----------
    source, sink : (N,) float
        Capacity from the source to each node, and from each node to the sink.
    start, end : (E,) int
        Directed edges, no two the same.
    capacity : (E,) float
        Of each edge; rounded, like the others, to thousandths.

    Returns
    -------
    (N,) bool
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import breadth_first_order, maximum_flow

    nodes = source.size
    source, sink = (np.rint(values * _STEPS).astype(np.int32) for values in (source, sink))
    # What flows straight through a node tells nothing.
    through = np.minimum(source, sink)
    source, sink = source - through, sink - through
    first, last = np.flatnonzero(source), np.flatnonzero(sink)
    starts = np.concatenate([start, np.full(first.size, nodes), last])
    ends = np.concatenate([end, first, np.full(last.size, nodes + 1)])
    inner = np.rint(capacity * _STEPS).astype(np.int32)
    capacities = np.concatenate([inner, source[first], sink[last]])
    graph = coo_array(
        (capacities, (starts.astype(np.int32), ends.astype(np.int32))),
        shape=(nodes + 2, nodes + 2),
    ).tocsr()
    left = graph - maximum_flow(graph, nodes, nodes + 1).flow
    left.data[left.data < 0] = 0
    left.eliminate_zeros()
    reached = np.zeros(nodes + 2, bool)
    reached[breadth_first_order(left, nodes, return_predecessors=False)] = True
    return reached[:nodes]
