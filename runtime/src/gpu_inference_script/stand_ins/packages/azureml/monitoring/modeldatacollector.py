"""`ModelDataCollector`: arguments, results and CSV rows as in azureml-monitoring 0.1.0a21.

Rows go to the service's volume (model_data.py) instead of a blob container, by the day of their collection.
No data from a script can make a call fail.
"""

import datetime
import logging
import sys
import uuid
from typing import Any, Dict, List, Optional, Sequence, Tuple

from gpu_inference_script.logs import current_request_id
from gpu_inference_script.stand_ins import model_data

_CORRELATION_ID = "$aml_dc_correlation_id"
_TIMESTAMP = "$aml_dc_scoring_timestamp"
_BOUNDARY = "$aml_dc_boundary"
_WORKSPACE = "$aml_workspace"
_SERVICE_NAME = "$aml_service_name"
_MODEL_NAME = "$aml_model_name"
_MODEL_VERSION = "$aml_model_version"
_REQUEST_ID = "$aml_request_id"
# In the order of the columns.
_CORRELATIONS = (
    *(_CORRELATION_ID, _TIMESTAMP, _BOUNDARY, _WORKSPACE),
    *(_SERVICE_NAME, _MODEL_NAME, _MODEL_VERSION, _REQUEST_ID),
)
_WHOLE_DAY_MINUTES = 24 * 60
_NO_REQUEST = "00000000-0000-0000-0000-000000000000"

log = logging.getLogger("gpu_inference")


class ModelDataCollector:
    """Collects tabular data of one model under one designation, such as `inputs` or `predictions`."""

    def __init__(
        self,
        model_name: str,
        designation: str = "default",
        feature_names: "Optional[Sequence[str]]" = None,
        workspace: str = "default/default/default",
        webservice_name: str = "default",
        model_version: str = "default",
        collection_name: str = "default",
        *,
        identifier: "Optional[str]" = None,
    ) -> None:
        """Make a collector.

        Args:
            model_name: the model's name.
            designation: `inputs`, `predictions`, `labels`, `signals` or `general` (the default).
            feature_names: column names for the files' first line; data frames have their own.
            workspace: value in the correlation columns.
            webservice_name: the service's name; by default, that of this service.
            model_version: the model's version; by default, the highest in the image.
            collection_name: name of the files for `signals` and `general`; the others use the designation.
            identifier: former name (before 2020) of `designation`.
        """
        name = str(identifier or designation)
        self.designation = "general" if name == "default" else name
        self.model_name = model_name
        self.workspace = workspace.lower()
        known = model_data.collection()
        self.service_name = known.service_name if webservice_name == "default" else webservice_name
        self.model_version = (
            known.latest_version(str(model_name)) if model_version == "default" else str(model_version)
        )
        own_name = self.designation in ("signals", "general")
        self._place = (
            str(model_name),
            self.model_version,
            self.designation,
            collection_name if own_name else self.designation,
        )
        self._feature_names = None if feature_names is None else list(feature_names)
        self._correlated = self.designation == "inputs"
        self._warned = False

    def collect(self, input_data: Any, user_correlation_id: str = "") -> "Optional[Dict[str, Any]]":
        """Collect a list (one row), an array or a data frame; do nothing if collection is off.

        Returns:
            For `inputs`, the correlations to pass to `add_correlations` of other collectors; otherwise None.
        """
        target = model_data.collection().rows
        if target is None:
            return None
        try:
            correlations = None
            if self.designation == "inputs":
                correlations = self._new_correlations(user_correlation_id)
                input_data = self.add_correlations(input_data, correlations)
            header, rows = self._table(input_data)
            if rows is None:
                self._warn(input_data)
                return None
            target.add(self._place, header, rows)
        except Exception:
            # A failed collection must not fail the request.
            log.exception("Model data of %s could not be collected", self.model_name)
            return None
        return correlations

    def add_correlations(self, input_data: Any, correlations: "Optional[Dict[str, Any]]") -> Any:
        """Return the data with more columns: the correlations that `collect` returned for the inputs."""
        if correlations is None:
            return input_data
        self._correlated = True
        values = [correlations[name] for name in _CORRELATIONS]
        if isinstance(input_data, list):
            return [*input_data, *values]
        if _is_array(input_data):
            numpy = sys.modules["numpy"]
            rows = input_data.reshape(1, -1) if input_data.ndim < 2 else input_data
            columns = numpy.repeat(numpy.array([values], dtype=object), rows.shape[0], axis=0)
            return numpy.append(rows, columns, axis=1)
        if hasattr(input_data, "toPandas"):
            input_data = input_data.toPandas()
        if _is_frame(input_data):
            return input_data.assign(**dict(zip(_CORRELATIONS, values)))
        self._warn(input_data)
        return input_data

    def _new_correlations(self, user_correlation_id: str) -> "Dict[str, Any]":
        unique = str(uuid.uuid4())
        return {
            _TIMESTAMP: datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None).isoformat(),
            _REQUEST_ID: current_request_id() or _NO_REQUEST,
            _CORRELATION_ID: f"{user_correlation_id}-{unique}" if user_correlation_id else unique,
            _BOUNDARY: _WHOLE_DAY_MINUTES,
            _WORKSPACE: self.workspace,
            _SERVICE_NAME: self.service_name,
            _MODEL_NAME: self.model_name,
            _MODEL_VERSION: self.model_version,
        }

    def _table(self, data: Any) -> "Tuple[Optional[List[Any]], Optional[List[Any]]]":
        """Return the header, None if there is none, and the rows, None if the data is not a table."""
        names = self._feature_names
        if names is not None and self._correlated:
            names = [*names, *_CORRELATIONS]
        if isinstance(data, list):
            return names, [data]
        if _is_array(data):
            return names, (data.reshape(1, -1) if data.ndim < 2 else data).tolist()
        if hasattr(data, "toPandas"):
            data = data.toPandas()
        if _is_frame(data):
            return list(data.columns), list(data.itertuples(index=False, name=None))
        return None, None

    def _warn(self, data: object) -> None:
        if not self._warned:
            self._warned = True
            log.warning(
                "ModelDataCollector of %s takes lists, NumPy arrays and data frames; a %s is not collected.",
                self.model_name,
                type(data).__name__,
            )


# These checks work without importing NumPy or pandas.


def _is_array(data: object) -> bool:
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(data, numpy.ndarray)


def _is_frame(data: object) -> bool:
    return hasattr(data, "columns") and hasattr(data, "itertuples")
