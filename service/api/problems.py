"""Errors as `application/problem+json` (RFC 9457): what went wrong, in words and codes a caller can use.

A problem never holds SQL, paths or traces: the message of an error of ours is written for callers, of any
other error only the request's id is given, under which the log has the rest.
"""

from http import HTTPStatus

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from service.api.validation import Rejected
from service.errors import AnnalsError, DatabaseUnavailable

RETRY_AFTER_SECONDS = "2"


class FieldError(BaseModel):
    """One thing that does not fit: where it stands in the request, and what is wrong with it."""

    at: str = Field(examples=["body.priority"])
    message: str = Field(examples=["Input should be less than or equal to 10."])


class Problem(BaseModel):
    """RFC 9457 problem details. `type` is the code of the error as a URN; `hint` says what to do next."""

    model_config = ConfigDict(
        json_schema_extra={"required": ["type", "title", "status", "detail", "request_id"]}
    )

    type: str = Field(examples=["urn:annals:not_found"])
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["Task not found: task-100000001"])
    request_id: str = Field(examples=["req-5f3c0c5e00004000800000000000000a"])
    hint: str | None = None
    errors: list[FieldError] | None = None


class Unauthenticated(AnnalsError):
    """No key, or none that is valid."""

    code, status = "unauthenticated", 401


class Forbidden(AnnalsError):
    """The key is valid and lacks the scope."""

    code, status = "forbidden", 403


class Gone(AnnalsError):
    """A cursor of another log, or beyond the head of this one."""

    code, status = "cursor_reset", 410


class TimedOut(AnnalsError):
    """A request took longer than allowed; whether it had an effect is not known."""

    code, status = "timed_out", 503


def of_error(error: AnnalsError, request_id: str) -> web.Response:
    """The answer that an error of ours means."""
    if isinstance(error, DatabaseUnavailable):
        # Its hint is what the driver said: addresses and such.
        return render(503, error.code, "The database is not available.", request_id, "Try again in a moment.")
    errors = [FieldError(**each) for each in error.errors] if isinstance(error, Rejected) else None
    return render(error.status, error.code, error.message, request_id, error.hint, errors)


def of_http(error: web.HTTPException, request_id: str) -> web.Response:
    """The answer for what the HTTP library refuses: unknown path, wrong method, body too big."""
    details = {
        404: "There is no such path; see /docs.",
        405: f"This path does not take this method; it takes {error.headers.get('Allow', 'others')}.",
        413: "The request body is too big.",
    }
    code = {404: "not_found", 413: "too_big"}.get(error.status, error.reason.lower().replace(" ", "_"))
    answer = render(error.status, code, details.get(error.status, f"{error.reason}."), request_id)
    if "Allow" in error.headers:
        answer.headers["Allow"] = error.headers["Allow"]
    return answer


def of_bug(request_id: str) -> web.Response:
    """The answer for an error nobody expected."""
    return render(
        500,
        "internal",
        "Something went wrong on our side.",
        request_id,
        "The log has it under this request_id.",
    )


def render(
    status: int,
    code: str,
    detail: str,
    request_id: str,
    hint: str = "",
    errors: list[FieldError] | None = None,
) -> web.Response:
    """A problem as a response; 401 and 503 carry the headers they need."""
    problem = Problem(
        type=f"urn:annals:{code}",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        request_id=request_id,
        hint=hint or None,
        errors=errors,
    )
    text = problem.model_dump_json(exclude_none=True)
    response = web.Response(text=text, status=status, content_type="application/problem+json")
    if status == 503:
        response.headers["Retry-After"] = RETRY_AFTER_SECONDS
    if status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="annals"'
    return response
