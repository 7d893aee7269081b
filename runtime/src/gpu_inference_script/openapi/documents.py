"""Generates a service's specification like v1's server: Swagger 2, OpenAPI 3.0 and 3.1, as plain data.

Clients have been generated from it, so all values are v1's, including the descriptions.
"""

from typing import Any, Dict, List

Document = Dict[str, Any]

_HEALTH = "Simple health check endpoint to ensure the service is up at any given point."
_HEALTHY = "If service is up and running, this response will be returned with the content 'Healthy'"
_SCORE = "Run web service's model and get the prediction output"
_INPUT = "The input payload for executing the real-time machine learning service."
_SCORED = "The service processed the input correctly and provided a result prediction, if applicable."
_FAILED = "The service failed to execute due to an error."
_SPECIFICATION = "Get the Swagger specification."

_BEARER = {
    "type": "apiKey",
    "name": "Authorization",
    "in": "header",
    "description": "For example: Bearer abc123",
}
_ASKS_FOR_KEY: "List[Dict[str, List[str]]]" = [{"Bearer": []}]
_ERROR = {"type": "object", "properties": {"message": {"type": "string"}}}
_VERSIONS = {"type": "integer", "enum": [2, 3]}


class Described:
    """What a specification says about a service.

    Args:
        name: the service's name.
        version: the service's version.
        prefix: prefix of the paths: empty, or with a leading slash and no trailing one.
        input: schema of the request body.
        output: schema of the result.
    """

    def __init__(self, name: str, version: str, prefix: str, input: Document, output: Document) -> None:  # noqa: A002
        self.name = name
        self.version = version
        self.prefix = prefix
        self.input = input
        self.output = output


def swagger_2(service: Described) -> Document:
    """Return the service's specification as Swagger 2.0."""

    def responses(description: str, schema: Document, **more: Any) -> Document:
        return {
            "200": {"description": description, "schema": schema, **more},
            "default": {"description": _FAILED, "schema": {"$ref": "#/definitions/ErrorResponse"}},
        }

    body = {
        "name": "serviceInputPayload",
        "in": "body",
        "description": _INPUT,
        "schema": {"$ref": "#/definitions/ServiceInput"},
    }
    return {
        "swagger": "2.0",
        "info": _info(service),
        "schemes": ["https"],
        "consumes": ["application/json"],
        "produces": ["application/json"],
        "securityDefinitions": {"Bearer": _BEARER},
        "paths": _paths(
            service.prefix,
            health={
                "responses": responses(
                    _HEALTHY, {"type": "string"}, examples={"application/json": "Healthy"}
                ),
            },
            score={
                "parameters": [body],
                "responses": responses(_SCORED, {"$ref": "#/definitions/ServiceOutput"}),
            },
            specification={
                "parameters": [{"name": "version", "in": "query", "required": False, **_VERSIONS}],
                "responses": responses("The Swagger specification.", {"type": "string"}),
            },
        ),
        "definitions": _schemas(service),
    }


def openapi_3(service: Described, version: str = "3.0.3") -> Document:
    """Return the service's specification as OpenAPI 3, in the given version."""

    def content(media_type: str, schema: Document) -> Document:
        return {"content": {media_type: {"schema": schema}}}

    def responses(description: str, media_type: str, schema: Document) -> Document:
        error = content("application/json", {"$ref": "#/components/schemas/ErrorResponse"})
        return {
            "200": {"description": description, **content(media_type, schema)},
            "default": {"description": _FAILED, **error},
        }

    body = content("application/json", {"$ref": "#/components/schemas/ServiceInput"})
    output = {"$ref": "#/components/schemas/ServiceOutput"}
    return {
        "openapi": version,
        "info": _info(service),
        "security": _ASKS_FOR_KEY,
        "paths": _paths(
            service.prefix,
            health={
                "responses": responses(_HEALTHY, "text/plain", {"type": "string", "example": "Healthy"}),
            },
            score={
                "requestBody": {"description": _INPUT, **body},
                "responses": responses(_SCORED, "application/json", output),
            },
            specification={
                "parameters": [
                    {"name": "version", "in": "query", "required": False, "schema": _VERSIONS},
                ],
                "responses": responses("The Swagger specification.", "text/plain", {"type": "string"}),
            },
        ),
        "components": {"schemas": _schemas(service), "securitySchemes": {"Bearer": _BEARER}},
    }


def _info(service: Described) -> Document:
    return {
        "title": service.name,
        "description": f"API specification for the Azure Machine Learning service {service.name}",
        "version": service.version,
    }


def _paths(prefix: str, health: Document, score: Document, specification: Document) -> Document:
    return {
        f"{prefix}/": {
            "get": {"operationId": "ServiceHealthCheck", "description": _HEALTH, **health},
        },
        f"{prefix}/score": {
            "post": {
                "operationId": "RunMLService",
                "description": _SCORE,
                "security": _ASKS_FOR_KEY,
                **score,
            },
        },
        f"{prefix}/swagger.json": {
            "get": {"operationId": "GetSwaggerSpec", "description": _SPECIFICATION, **specification},
        },
    }


def _schemas(service: Described) -> Document:
    return {"ServiceInput": service.input, "ServiceOutput": service.output, "ErrorResponse": _ERROR}
