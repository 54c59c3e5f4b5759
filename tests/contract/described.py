"""Checks responses against /openapi.json: status, media type and body must be described."""

import re
from typing import Any

from httpx2 import Response
from openapi_schema_validator import OAS31Validator


def assert_described(description: dict[str, Any], response: Response) -> None:
    """Check one response. A path or method that is not described must be the contract's 404."""
    operation = _operation(description, response.request.method.lower(), response.request.url.path)
    if operation is None:
        return
    answers = operation["responses"]
    assert str(response.status_code) in answers, f"{response.status_code} is not described"
    content = answers[str(response.status_code)].get("content", {})
    media_type = response.headers.get("content-type", "").partition(";")[0]
    if not content:
        assert (media_type, response.content) == ("", b"")
        return
    assert media_type in content, f"{media_type} is not described"
    body = response.text if media_type == "text/plain" else response.json()
    schema = {**content[media_type]["schema"], "components": description["components"]}
    OAS31Validator(schema).validate(body)


def _operation(description: dict[str, Any], method: str, path: str) -> dict[str, Any] | None:
    trimmed = "/" + path.strip("/")
    for template, operations in description["paths"].items():
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), trimmed):
            found: dict[str, Any] | None = operations.get(method)
            return found
    return None
