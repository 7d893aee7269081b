# Predicts how far a patient's diabetes goes: {"data": [[10 measurements], ...]} in, [number, ...] out.
# Written for Azure ML SDK v1 and the scikit-learn of 2019, as such scripts were; nothing in it is ours.

import numpy as np
from azureml.core.model import Model
from inference_schema.parameter_types.numpy_parameter_type import NumpyParameterType
from inference_schema.schema_decorators import input_schema, output_schema
from sklearn.externals import joblib

# age, sex, body mass index, blood pressure, six blood values
input_sample = np.array([[59.0, 2.0, 32.1, 101.0, 157.0, 93.2, 38.0, 4.0, 4.8598, 87.0]])
output_sample = np.array([206.1])


def init():
    global model
    model = joblib.load(Model.get_model_path("sklearn_regression_model.pkl"))


@input_schema("data", NumpyParameterType(input_sample))
@output_schema(NumpyParameterType(output_sample))
def run(data):
    return model.predict(data).tolist()
