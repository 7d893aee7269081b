"""The model under NVIDIA's Triton server by PyTriton, which batches what waits, as its documentation does."""

import os

import models  # type: ignore[import-not-found]
import numpy as np
from pytriton.decorators import batch  # type: ignore[import-not-found]
from pytriton.model_config import DynamicBatcher, ModelConfig, Tensor  # type: ignore[import-not-found]
from pytriton.triton import Triton, TritonConfig  # type: ignore[import-not-found]

if __name__ == "__main__":
    model = models.load()

    @batch  # type: ignore[untyped-decorator]
    def infer(data: models.Array) -> dict[str, models.Array]:
        return {"classes": model(data).astype(np.int64)[:, np.newaxis]}

    port, grpc_port, metrics_port = (int(port) for port in os.environ["BENCH_PORTS"].split())
    config = TritonConfig(
        http_address="127.0.0.1",
        http_port=port,
        grpc_port=grpc_port,
        metrics_port=metrics_port,
        log_verbose=0,
    )
    with Triton(config=config) as triton:
        triton.bind(
            model_name="net",
            infer_func=infer,
            inputs=[Tensor(name="data", dtype=np.float32, shape=(models.LAYERS[0],))],
            outputs=[Tensor(name="classes", dtype=np.int64, shape=(1,))],
            config=ModelConfig(max_batch_size=4096, batcher=DynamicBatcher(max_queue_delay_microseconds=0)),
        )
        triton.serve()
