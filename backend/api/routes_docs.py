"""`/docs`: the OpenAPI description as one plain page.

The usual viewers load scripts and styles from elsewhere, which this server's pages never do.
"""

from html import escape
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

STYLE = """
:root { color-scheme: light dark; --line: #8884; --quiet: #888; }
body { font: 15px/1.5 system-ui; max-width: 60em; margin: 2em auto; padding: 0 1em; }
code, pre { font: 13px/1.45 ui-monospace, monospace; }
section { border-top: 1px solid var(--line); padding: .6em 0 1em; }
h3 { margin: .4em 0; font-size: 15px; } h3 code { font-size: 14px; }
.method { display: inline-block; min-width: 3.6em; font-weight: 700; }
table { border-collapse: collapse; } td { padding: .1em 1.2em .1em 0; vertical-align: top; }
td:nth-child(2), .quiet { color: var(--quiet); } pre { white-space: pre-wrap; }
"""


def docs_router() -> APIRouter:
    router = APIRouter()

    @router.get("/docs", include_in_schema=False)
    def show_docs(request: Request) -> HTMLResponse:
        return HTMLResponse(_page(request.app.openapi()))

    return router


def _page(spec: dict[str, Any]) -> str:
    parts = []
    for tag in spec["tags"]:
        parts.append(
            f"<h2>{escape(tag['name'])}</h2><p class=quiet>{escape(tag['description'])}</p>"
        )
        for path, methods in spec["paths"].items():
            for method, operation in methods.items():
                if tag["name"] in operation.get("tags", []):
                    parts.append(_operation(path, method, operation))
    schemas = "".join(
        f"<section id='{name}'><h3><code>{name}</code></h3>{_schema(schema)}</section>"
        for name, schema in spec["components"]["schemas"].items()
    )
    title = escape(f"{spec['info']['title']} API")
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title>"
        "<meta name=viewport content='width=device-width'>"
        f"<style>{STYLE}</style><h1>{title} {escape(spec['info']['version'])}</h1>"
        f"<pre>{escape(spec['info']['description'].strip())}</pre>"
        "<p>For programs: <a href=/api/openapi.json>/api/openapi.json</a></p>"
        f"{''.join(parts)}<h2>Shapes</h2>{schemas}</html>"
    )


def _operation(path: str, method: str, operation: dict[str, Any]) -> str:
    rows = [
        _row(
            f"{parameter['name']} ({parameter['in']})",
            _type(parameter["schema"]),
            parameter.get("description", ""),
        )
        for parameter in operation.get("parameters", [])
    ]
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if body:
        rows.append(_row("body", _type(body["schema"]), ""))
    for status, answer in operation["responses"].items():
        content = answer.get("content", {})
        shapes = [_type(c["schema"]) if c.get("schema") else escape(k) for k, c in content.items()]
        rows.append(_row(f"→ {status}", " or ".join(shapes), answer["description"]))
    return (
        f"<section><h3><span class=method>{method.upper()}</span><code>{escape(path)}</code> "
        f"— {escape(operation['summary'])}</h3>"
        f"<p>{escape(operation.get('description', ''))}</p><table>{''.join(rows)}</table></section>"
    )


def _schema(schema: dict[str, Any]) -> str:
    rows = [
        _row(name, _type(field), field.get("description", ""))
        for name, field in schema.get("properties", {}).items()
    ]
    if "enum" in schema:
        rows.append(_row("one of", escape(", ".join(map(str, schema["enum"]))), ""))
    description = escape(schema.get("description", ""))
    return f"<p>{description}</p><table>{''.join(rows)}</table>"


def _row(name: str, kind: str, text: str) -> str:
    return f"<tr><td><code>{escape(name)}</code><td>{kind}<td>{escape(text)}"


def _type(schema: dict[str, Any]) -> str:
    """A JSON schema in a few words, with links to the shapes it names."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        return f"<a href='#{name}'>{escape(name)}</a>"
    for many in ("anyOf", "oneOf"):
        if many in schema:
            return " or ".join(_type(one) for one in schema[many])
    if "enum" in schema:
        return escape(" | ".join(map(str, schema["enum"])))
    if "const" in schema:
        return escape(repr(schema["const"]))
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return escape(str(schema.get("type", "anything")))
