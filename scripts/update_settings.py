"""Write docs/settings.md, every key of a run file, from the settings classes.

Usage:
    python scripts/update_settings.py            # or --check, for continuous integration
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from vanhove.models.registry import DECODERS, DEFAULT_DECODER, DEFAULT_ENCODER, ENCODERS
from vanhove.runs.config import RunConfig

PAGE = Path(__file__).parents[1] / "docs" / "settings.md"


def shown(value: object) -> str:
    value = to_jsonable_python(value)
    if isinstance(value, list):
        return "[" + ", ".join(map(str, value)) + "]"
    return "null" if value is None else str(value).lower()


def allowed(annotation: object) -> str:
    choices = [value for value in getattr(annotation, "__args__", ()) if isinstance(value, str)]
    return ", ".join(f"`{choice}`" for choice in choices)


def rows(model: type[BaseModel], prefix: str, skip: tuple[str, ...] = ()) -> Iterator[str]:
    for name, field in model.model_fields.items():
        key = f"{prefix}{name}"
        if name in skip:
            continue
        if isinstance(field.default, BaseModel):
            yield from rows(type(field.default), f"{key}.", skip)
            continue
        choices = allowed(field.annotation)
        meaning = "; ".join(part for part in (field.description or "", choices) if part)
        if not field.description:
            raise SystemExit(f"{model.__name__}.{name} has no description")
        yield f"| `{key}` | `{shown(field.default)}` | {meaning} |"


def table(lines: Iterator[str]) -> str:
    return "\n".join(["| key | default | meaning |", "|---|---|---|", *lines])


def section(kind: str, name: str, settings: type[BaseModel], module: type, default: bool) -> str:
    summary = (module.__doc__ or "").strip().splitlines()[0].replace("``", "`")
    mark = ", the default" if default else ""
    listed = table(rows(settings, f"model.{kind}.", ("name",)))
    return f"### `model.{kind}.name: {name}`{mark}\n\n{summary}\n\n{listed}\n"


def page() -> str:
    parts = [
        "# Every key of a run file",
        "",
        "Made by `scripts/update_settings.py`. A run file is YAML. Every key has a default, so a "
        "file names only what differs. A wrong key or value is an error that names it. `null` "
        "means: not used.",
        "",
        table(rows(RunConfig, "", ("encoder", "decoder"))),
        "",
        "## Encoders: crystal to atom states",
        "",
    ]
    for name, encoder in ENCODERS.items():
        default = name == DEFAULT_ENCODER
        parts.append(section("encoder", name, encoder.settings_type, encoder, default))
    parts += ["## Decoders: atom states to spectrum", ""]
    for name, decoder in DECODERS.items():
        default = name == DEFAULT_DECODER
        parts.append(section("decoder", name, decoder.settings_type, decoder, default))
    return "\n".join(parts).rstrip() + "\n"


def main(check: bool) -> int:
    content = page()
    if PAGE.exists() and PAGE.read_text(encoding="utf-8") == content:
        return 0
    if check:
        print("docs/settings.md is stale: run python scripts/update_settings.py")
        return 1
    PAGE.write_text(content, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
