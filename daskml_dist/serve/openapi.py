"""The description of a server's HTTP interface in OpenAPI 3.1, made from the signature of its model."""

from __future__ import annotations

from typing import Any

_TENSOR: dict[str, Any] = {
    "type": "object",
    "required": ["name", "shape", "datatype"],
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string"},
        "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1, "maxItems": 2},
        "datatype": {"type": "string", "enum": ["FP64", "FP32", "INT64", "INT32", "BYTES"]},
        "data": {"type": "array"},
        "parameters": {
            "type": "object",
            "properties": {"binary_data_size": {"type": "integer", "minimum": 0}},
        },
    },
}
_OUTPUT = {
    "type": "object",
    "required": ["name"],
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string"},
        "parameters": {"type": "object", "properties": {"binary_data": {"type": "boolean"}}},
    },
}
_ERROR = {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}


def document(metadata: dict[str, Any], version: str) -> dict[str, Any]:
    """The OpenAPI document of a server.

    Parameters
    ----------
    metadata : of the model, as ``GET /v2/models/NAME`` says it.
    version : of this library.
    """
    model = f"/v2/models/{metadata['name']}"
    infer = {"post": _operation("Predict", _request(metadata), "InferenceResponse")}
    get = {"get": _operation("Read", None, None)}
    paths: dict[str, Any] = {
        f"{model}/infer": infer,
        **{f"{model}/versions/{number}/infer": infer for number in metadata["versions"]},
        f"{model}/explain": {
            "post": _operation("Predict and explain", _request(metadata), "InferenceResponse")
        },
        f"{model}/feedback": {"post": _operation("Report labels", _feedback(), None)},
        "/v2/repository/index": {"post": _operation("List models", {"type": "object"}, None)},
    }
    for path in ("/v2", "/v2/health/live", "/v2/health/ready", model, f"{model}/ready"):
        paths[path] = get
    return {
        "openapi": "3.1.0",
        "info": {"title": f"{metadata['name']}, served by daskml_dist", "version": version},
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {"Error": _ERROR, "InferenceResponse": _response()},
        },
    }


def _operation(summary: str, body: dict[str, Any] | None, answer: str | None) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{answer}"} if answer else {}
    error = {"description": "refused", "content": _json({"$ref": "#/components/schemas/Error"})}
    operation: dict[str, Any] = {
        "summary": summary,
        "responses": {"200": {"description": "the answer", "content": _json(schema)}, "4XX": error},
    }
    if body is not None:
        operation["requestBody"] = {"required": True, "content": _json(body)}
    return operation


def _request(metadata: dict[str, Any]) -> dict[str, Any]:
    names = ["x", *(column["name"] for column in metadata["inputs"])]
    tensor = _TENSOR | {"properties": {**_TENSOR["properties"], "name": {"enum": names}}}
    return {
        "type": "object",
        "required": ["inputs"],
        "additionalProperties": False,
        "properties": {
            "id": {"type": "string"},
            "inputs": {"type": "array", "items": tensor, "minItems": 1},
            "outputs": {"type": "array", "items": _OUTPUT},
            "parameters": {"type": "object", "properties": {"explain": {"type": "boolean"}}},
        },
    }


def _feedback() -> dict[str, Any]:
    values = {"type": "array", "items": {"type": ["number", "string"]}, "minItems": 1}
    return {
        "type": "object",
        "required": ["prediction", "label"],
        "additionalProperties": False,
        "properties": {"prediction": values, "label": values},
    }


def _response() -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["model_name", "model_version", "outputs"],
        "properties": {
            "model_name": {"type": "string"},
            "model_version": {"type": "string"},
            "id": {"type": "string"},
            "outputs": {"type": "array", "items": {"type": "object"}},
        },
    }


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
