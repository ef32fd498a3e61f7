"""What the API root itself says, in both languages; rooms say the rest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from shudu.policy.types import Conflict, Invalid, NotFound, ShuduError, Text, Unavailable
from shudu.policy.wording import field_of, of

TITLES = {
    400: Text("请求无法读取", "The request cannot be read"),
    401: Text("需要有效的访问令牌", "A valid token is needed"),
    403: Text("无权执行", "Not permitted"),
    404: Text("没有找到", "Not found"),
    405: Text("不支持该方法", "Method not allowed"),
    409: Text("与当前状态冲突", "In conflict with the state of things"),
    413: Text("内容过大", "Too large"),
    415: Text("内容类型不对", "Not the media type asked for"),
    422: Text("内容不能使用", "The content cannot be used"),
    429: Text("调用过于频繁", "Too many calls"),
    500: Text("系统出错", "A fault of ours"),
    503: Text("暂时无法提供", "Not available now"),
    507: Text("存储空间不足", "No room"),
}

NO_TOKEN = Invalid(
    "token.missing",
    Text("请求没有携带访问令牌。", "The request carries no token."),
    Text("请加上请求头 Authorization: Bearer shudu_…。", "Send the header Authorization: Bearer shudu_…."),
)
UNREADABLE = Invalid(
    "request.unreadable",
    Text("请求内容不是约定的格式。", "The request's content is not in the form agreed."),
    Text("请对照 /api/v1/docs 中的示例。", "Compare it with the examples at /api/v1/docs."),
)
TOO_LARGE = Invalid(
    "request.too_large",
    Text("请求的字段超过 1 MB。", "The request's fields exceed 1 MB."),
    Text("文件请以 multipart 的 file 部分上传。", "Send a file as the multipart part `file`."),
)
NO_RESOURCE = NotFound(
    "not_found",
    Text("这里没有这项资源。", "There is no such resource here."),
    Text("资源一览见 /api/v1/docs。", "They are listed at /api/v1/docs."),
)
NO_METHOD = Conflict(
    "request.method",
    Text("该资源不支持这个方法。", "This resource does not support that method."),
    Text("可用的方法见 Allow 响应头。", "The header Allow names those it does."),
)
BUSY = Unavailable(
    "server.busy",
    Text("系统正忙，这次请求没有执行。", "The system is busy; this request was not carried out."),
    Text("请稍后用同一个 Idempotency-Key 重试。", "Try again shortly with the same Idempotency-Key."),
)
FAULT = ShuduError(
    "server.fault",
    Text("系统出了差错，这次请求没有完成。", "Something failed on our side. This request was not completed."),
    Text(
        "请用同一个 Idempotency-Key 重试；仍不成功，请把发生的时间告诉运营机构。",
        "Try again with the same Idempotency-Key; if it fails again, tell the operating company when it happened.",
    ),
)


def no_key() -> Invalid:
    return Invalid(
        "idempotency.missing",
        Text(
            "写入请求须带 Idempotency-Key 请求头。", "A call that changes something needs the header Idempotency-Key."
        ),
        Text(
            "每项新请求用一个新的键（例如 UUID），重试时用同一个。",
            "Use a new key, such as a UUID, for each new request, and the same one when you retry it.",
        ),
    )


def bad_key() -> Invalid:
    return Invalid(
        "idempotency.key",
        Text(
            "Idempotency-Key 须为 1 至 200 个可见 ASCII 字符。",
            "An Idempotency-Key is 1 to 200 visible ASCII characters.",
        ),
        Text("例如一个 UUID。", "Such as a UUID."),
    )


def invalid(mistakes: Iterable[Mapping[str, Any]]) -> Invalid:
    """The error that says the first of them."""
    first = next(iter(mistakes))
    field, said = field_of(first), of(first)
    return Invalid(
        "input",
        Text(f"“{field}”不正确：{said.zh}。", f"“{field}” is not right: {said.en}."),
        Text("请对照 /api/v1/docs 修改后重试。", "Correct it, see /api/v1/docs, and try again."),
        {"field": field},
    )
