"""The cap `num_replicas * gpu_cores <= gpu_count` as JSON Schema, which cannot compare two fields.

So it is written out: for each number of GPUs per pod, the pool sizes fall into bands that hold the same
number of pods, and each band bounds the fields that ask for pods. The bands are disjoint, so that a field
that asks for too many is one error, which names it and its limit. Pools above `MAX_GPU_COUNT` and pods above
`MAX_GPU_CORES` are left to the template, which is exact at any size.
"""

from typing import Any

Clause = dict[str, Any]

MAX_GPU_COUNT = 64
MAX_GPU_CORES = 8
# Fields that ask for pods; all have the same limit.
_PODS = ("num_replicas", "autoscale_min_replicas", "autoscale_max_replicas")


def cap_clauses() -> list[Clause]:
    """Return draft-07 clauses for the root's `allOf`, exact to 64 GPUs and 8 per pod."""
    return [*_too_few_for_one_pod(), *(_bands(per_pod) for per_pod in range(1, MAX_GPU_CORES + 1))]


def _too_few_for_one_pod() -> list[Clause]:
    """Return the clauses for pools without room for a single pod: there the GPUs per pod are wrong."""
    unset_gpu_cores = {"properties": {"deployment": {"properties": {"gpu_cores": {"type": "null"}}}}}
    return [
        # Nothing was said about gpu_cores, so that the error can only be about the pool.
        {
            "if": unset_gpu_cores,
            "then": {"properties": {"cluster": {"properties": {"gpu_count": {"minimum": 1}}}}},
        },
        *(
            {
                "if": _pool_between(pool, pool),
                "then": {"properties": {"deployment": {"properties": {"gpu_cores": {"maximum": pool}}}}},
            }
            for pool in range(MAX_GPU_CORES)
        ),
    ]


def _bands(per_pod: int) -> Clause:
    return {
        "if": _gpu_cores_are(per_pod),
        "then": {
            "allOf": [
                {
                    "if": _pool_between(pods * per_pod, (pods + 1) * per_pod - 1),
                    "then": {
                        "properties": {
                            "deployment": {"properties": {field: {"maximum": pods} for field in _PODS}}
                        }
                    },
                }
                for pods in range(1, MAX_GPU_COUNT // per_pod + 1)
            ]
        },
    }


def _gpu_cores_are(per_pod: int) -> Clause:
    if per_pod == 1:
        return {"properties": {"deployment": {"properties": {"gpu_cores": {"enum": [1, None]}}}}}
    return {
        "required": ["deployment"],
        "properties": {
            "deployment": {"required": ["gpu_cores"], "properties": {"gpu_cores": {"const": per_pod}}}
        },
    }


def _pool_between(low: int, high: int) -> Clause:
    """Return a condition on gpu_count that an absent or null one fulfils where 1 would."""
    if low <= 1 <= high:
        return {
            "properties": {"cluster": {"properties": {"gpu_count": {"enum": [*range(low, high + 1), None]}}}}
        }
    return {
        "required": ["cluster"],
        "properties": {
            "cluster": {
                "required": ["gpu_count"],
                "properties": {"gpu_count": {"type": "integer", "minimum": low, "maximum": high}},
            }
        },
    }
