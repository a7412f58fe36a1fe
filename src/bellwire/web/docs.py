"""The API's own description, as a page without anything from elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter
from starlette.requests import Request  # noqa: TC002 - FastAPI reads the annotation
from starlette.responses import Response  # noqa: TC002 - FastAPI reads the annotation

from bellwire.web.answers import Json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi import FastAPI

    from bellwire.web.pages.desk import Desk


def docs_router(app: FastAPI, desk: Desk) -> APIRouter:
    """Return the routes of the OpenAPI document and of the page that shows it."""
    router = APIRouter(include_in_schema=False)

    @router.get("/api/openapi.json")
    async def document() -> Response:
        return Json(app.openapi())

    @router.get("/api/docs")
    async def page(request: Request) -> Response:
        schema = app.openapi()
        shapes = sorted(schema["components"]["schemas"].items())
        return desk.page(
            "docs.html",
            request=request,
            schema=schema,
            operations=list(_operations(schema)),
            shapes=shapes,
            kind=kind,
        )

    return router


def _operations(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            yield {"path": path, "method": method.upper()} | operation


def kind(schema: dict[str, Any]) -> str:
    """Return in a few words what a JSON schema takes."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(kind(each) for each in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(str(each) for each in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {kind(schema.get('items', {}))}"
    if isinstance(schema.get("additionalProperties"), dict):
        return f"object of {kind(schema['additionalProperties'])}"
    return str(schema.get("format") or schema.get("type") or "anything")
