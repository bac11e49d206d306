"""Rows that the API reference lacks: the gateway's codes, and what the built-in infrastructure API refuses."""

from opensdrs.domain.errors.kind import ErrorKind

OWN: tuple[ErrorKind, ...] = (
    ErrorKind(
        "APIGW.0101",
        404,
        "The API does not exist",
        "No operation has this method and path.",
        "Check the method and the path against the API reference.",
    ),
    ErrorKind(
        "APIGW.0106",
        405,
        "The method is not allowed for this path",
        "The path exists with other methods.",
        "Use one of the methods in the Allow header.",
    ),
    ErrorKind(
        "APIGW.0201",
        413,
        "The request is too large",
        "The body or the headers exceed the limit.",
        "Send at most 12 MB of body.",
    ),
    ErrorKind(
        "APIGW.0301",
        401,
        "Incorrect IAM authentication information",
        "The token or the signature is missing, wrong or expired.",
        "Get a new token from POST /v3/auth/tokens, or sign the request with a valid access key.",
    ),
    ErrorKind(
        "APIGW.0308",
        429,
        "The throttling threshold has been reached",
        "Too many requests.",
        "Try again after the seconds in the Retry-After header.",
    ),
    ErrorKind(
        "OPENSDRS.0404",
        404,
        "No such resource",
        "The resource does not exist in this project.",
        "List the resources of this project to find the right id.",
    ),
    ErrorKind(
        "OPENSDRS.0409",
        409,
        "The resource is in use or in the wrong state",
        "The present state of the resource forbids this.",
        "See the message for what has to change first.",
    ),
    ErrorKind(
        "OPENSDRS.0400",
        400,
        "Invalid request",
        "A field of the request is missing or wrong.",
        "Correct the field that the message names.",
    ),
    ErrorKind(
        "OPENSDRS.0502",
        502,
        "A site could not do it",
        "The site answered, but the operation failed there.",
        "See the message for the reason; the site's own log has more.",
    ),
    ErrorKind(
        "OPENSDRS.0503",
        503,
        "The service is not ready",
        "The control plane is starting, stopping, or cannot reach what it needs.",
        "Try again in a few seconds.",
    ),
)
