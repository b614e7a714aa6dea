"""What a client sent and no route takes: unknown names, values that do not fit, bodies of another type."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_args, get_type_hints

from fastapi import Depends, Request
from fastapi.routing import APIRoute
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from recsys.errors import did_you_mean
from serving.errors import CODES, Failure, RejectedError

JSON = "application/json"
NDJSON = "application/x-ndjson"
_SHOWN = 100  # characters of a name or a value that a message repeats
_REMEDIES = {
    JSON: f"Send JSON with the header `Content-Type: {JSON}`",
    NDJSON: f"or one JSON object a line with `Content-Type: {NDJSON}`",
}


def takes(*media_types: str) -> Any:
    """A dependency that rejects unknown query parameters, and bodies that are not of `media_types`.

    A browser sends a text or a form to any address without asking; it asks the service before it sends JSON
    from a page of another origin. So a body without a type, or of another one, is not read as JSON.

    Raises:
        RejectedError: status 415 or 422; its message names what was sent.
    """

    async def check(request: Request) -> None:
        if media_types:
            _check_media_type(request.headers.get("Content-Type"), media_types)
        _check_query(request)

    return Depends(check)


def media_type_of(content_type: str) -> str:
    """The media type of a Content-Type, in small letters, without parameters."""
    return content_type.partition(";")[0].strip().lower()


def invalid_fields(problems: Sequence[Mapping[str, Any]], model: type[BaseModel] | None) -> Failure:
    """What is told of the problems that pydantic found: the first unknown field, else the first one.

    Args:
        problems: as `errors()` of a ValidationError has them; their places are those within the body.
        model: of the body; its fields are what an unknown one is compared with.
    """
    first = next((each for each in problems if each["type"] == "extra_forbidden"), problems[0])
    place = first["loc"]
    if first["type"] == "extra_forbidden":
        return _unknown_field(place, first["input"], model)
    given = "" if first["type"] == "missing" else f" (got {_shown(first.get('input'))})"
    return _invalid(f"{_dotted(place)[:_SHOWN] or 'body'}: {first['msg']}{given}")


def _unknown_field(place: Sequence[str | int], value: Any, model: type[BaseModel] | None) -> Failure:
    """Names the field at `place`, and the one that was meant."""
    *above, name = place
    inner = _model_at(model, above)
    known = list(_fields(inner)) if inner else []
    before = f"{_dotted(above)}." if above else ""
    remedy = did_you_mean(str(name), known, before).strip() or _listed("Fields", known)
    return _invalid(f"{_shown(_dotted(place))} is not a field of the body (got {_shown(value)})", remedy)


def _model_at(model: type[BaseModel] | None, place: Iterable[str | int]) -> type[BaseModel] | None:
    """The model of the object at `place` of a body of `model`; None where it has none."""
    for part in place:
        field = _fields(model).get(part) if model and isinstance(part, str) else None
        if field is not None:
            kinds = (field.annotation, *get_args(field.annotation))
            model = next(
                (kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None
            )
    return model


def _fields(model: type[BaseModel]) -> Mapping[str, FieldInfo]:
    """The fields of a model by the names that a body has."""
    return {field.alias or name: field for name, field in model.model_fields.items()}


def body_model(request: Request) -> type[BaseModel] | None:
    """The model of the body that the route of `request` takes."""
    route = request.scope.get("route")
    found = get_type_hints(route.endpoint).get("body") if isinstance(route, APIRoute) else None
    return found if isinstance(found, type) and issubclass(found, BaseModel) else None


def _check_media_type(given: str | None, media_types: Sequence[str]) -> None:
    found = media_type_of(given or "")
    if found in media_types or (found.startswith("application/") and found.endswith("+json")):
        return
    problem = (
        f"Content-Type {_shown(given)} is not one that this route takes"
        if given
        else "the body has no Content-Type"
    )
    remedy = ", ".join(_REMEDIES[each] for each in media_types)
    raise RejectedError(Failure(415, problem, CODES[415], f"{remedy}."))


def _check_query(request: Request) -> None:
    route = request.scope["route"]
    known = [parameter.alias for parameter in route.dependant.query_params]
    for name in request.query_params:
        if name not in known:
            remedy = did_you_mean(name, known).strip() or _listed("Parameters", known)
            raise RejectedError(_invalid(f"{_shown(name)} is not a query parameter of {route.path}", remedy))


def _listed(what: str, names: Sequence[str]) -> str:
    return f"{what}: {', '.join(names)}." if names else "It takes none."


def _invalid(message: str, remedy: str = "") -> Failure:
    return Failure(422, message, CODES[422], remedy)


def _dotted(place: Iterable[str | int]) -> str:
    return ".".join(str(part) for part in place)


def _shown(value: Any) -> str:
    return ascii(value)[:_SHOWN]
