"""Words of the errors in English and Chinese."""

from __future__ import annotations

from policies.domain.errors import StoretwinError

# code: (English title, Chinese title, Chinese sentence, Chinese remedy). The sentence
# is filled from the error's facts, field and row; what is missing reads "–".
_WORDS: dict[str, tuple[str, str, str, str]] = {
    "VALIDATION": (
        "Invalid input",
        "输入无效",
        "字段 {field} 的内容无效",
        "请更正该字段后重新发送",
    ),
    "BAD_BARCODE": (
        "Unknown barcode",
        "无法识别的条码",
        "无法识别这个条码",
        "请重新扫描或手工输入编码",
    ),
    "GTIN_CHECKSUM": (
        "Wrong check digit",
        "校验位错误",
        "条码的校验位不正确",
        "请重新扫描或检查输入的数字",
    ),
    "UOM_UNKNOWN": ("Unknown unit", "计量单位未知", "没有这个计量单位", "请使用商品的计量单位"),
    "AUTH": ("Not logged in", "未登录", "会话或令牌无效", "请重新登录"),
    "ROLE_DENIED": ("Not your role", "角色无权限", "您的角色不能执行此操作", "请联系有权限的同事"),
    "SITE_DENIED": (
        "Not your location",
        "门店无权限",
        "您无权操作 {location}",
        "请在自己的门店操作或申请授权",
    ),
    "APPROVAL_REQUIRED": ("Needs approval", "需要审批", "超出您的权限额度", "请提交给上级审批"),
    "SELF_APPROVAL": ("Not your own", "不能自批", "不能审批自己创建的单据", "请由另一位同事审批"),
    "CROSS_SITE": ("Cross-site request", "跨站请求", "请求不是由本站页面发出", "请从本站页面操作"),
    "NOT_FOUND": ("No such address", "地址不存在", "没有这个地址", "请检查地址"),
    "SKU_UNKNOWN": ("Unknown SKU", "商品未知", "没有商品 {sku}", "请检查编码，或先建立商品资料"),
    "LOCATION_UNKNOWN": ("Unknown location", "地点未知", "没有地点 {location}", "请检查地点编码"),
    "DOCUMENT_UNKNOWN": ("Unknown document", "单据不存在", "没有单据 {document}", "请检查单据编号"),
    "METHOD_NOT_ALLOWED": (
        "Method not allowed",
        "方法不支持",
        "该地址不支持此方法",
        "请查看接口说明",
    ),
    "INSUFFICIENT_STOCK": (
        "Not enough stock",
        "库存不足",
        "{location} 的商品 {sku} 可用 {free}，需要 {wanted}",
        "请减少数量，或先盘点货架",
    ),
    "VERSION_CONFLICT": ("Changed meanwhile", "单据已被修改", "单据已被他人修改", "请刷新后重试"),
    "STATE_INVALID": (
        "Not in this state",
        "状态不允许",
        "单据 {document} 当前状态为 {state}，不能执行此操作",
        "请刷新单据并查看可执行的操作",
    ),
    "IDEMPOTENCY_MISMATCH": (
        "Key used for something else",
        "请求键冲突",
        "同一请求键曾用于不同内容",
        "请为新的操作使用新的请求键",
    ),
    "SERIAL_ELSEWHERE": (
        "Serial is elsewhere",
        "序列号在别处",
        "商品 {sku} 的序列号 {serial} 记录在 {location}",
        "请核对序列号",
    ),
    "ALREADY_REVERSED": ("Already reversed", "已冲销", "该流水已被冲销", "无需再次冲销"),
    "LOT_ON_HOLD": (
        "Lot on hold",
        "批次冻结",
        "商品 {sku} 的批次 {lot} 已冻结",
        "请隔离并联系品控",
    ),
    "COUNT_OUTDATED": ("Count outdated", "盘点已过期", "已有更新的盘点入账", "请重新盘点"),
    "ALREADY_EXISTS": ("Already there", "已存在", "同名记录已存在", "请使用其他编码"),
    "RELEASE_REFUSED": ("Release refused", "版本被拒绝", "该版本不能在此使用", "请查看版本说明"),
    "DEVICE_REVOKED": (
        "Device revoked",
        "设备已停用",
        "该设备的令牌已停用",
        "请联系管理员重新登记",
    ),
    "BATCH_TOO_LARGE": ("Too large", "批量过大", "请求内容过大", "请分批发送"),
    "UNSUPPORTED_MEDIA": (
        "Not JSON",
        "格式不支持",
        "请求内容不是 JSON",
        "请以 application/json 发送",
    ),
    "LOT_REQUIRED": ("Lot required", "需要批次", "商品 {sku} 按批次管理", "请扫描或输入批次"),
    "LOT_EXPIRED": (
        "Lot expired",
        "批次过期",
        "商品 {sku} 的批次 {lot} 已于 {expires_on} 过期",
        "请下架并报损",
    ),
    "SHELF_LIFE_TOO_SHORT": (
        "Shelf life too short",
        "保质期不足",
        "商品 {sku} 的批次 {lot} 剩余保质期 {left} 天，要求 {asked} 天",
        "请拒收或申请特批",
    ),
    "OVER_RECEIPT": (
        "More than shipped",
        "超收",
        "商品 {sku} 实收 {wanted}，在途仅 {free}",
        "请复点；确认无误后勾选接受超收",
    ),
    "REASON_REQUIRED": ("Reason required", "需要原因", "此操作需要填写原因", "请选择原因"),
    "PHOTO_REQUIRED": ("Photo required", "需要照片", "此操作需要照片", "请拍照后提交"),
    "CLOCK_SKEW": (
        "Clock runs ahead",
        "设备时钟超前",
        "设备时间比服务器快 {ahead_s} 秒",
        "请校准设备时钟后重新发送",
    ),
    "PERIOD_CLOSED": ("Period closed", "期间已关账", "{period} 已关账", "请记入当前期间"),
    "RATE_LIMIT": ("Too many tries", "尝试过多", "尝试次数过多", "请稍后再试"),
    "INTERNAL": (
        "Service failure",
        "服务故障",
        "服务出现故障，未记录任何内容",
        "请稍后重试并告知管理员",
    ),
    "BUSY": ("Busy", "系统繁忙", "系统繁忙，未记录任何内容", "请稍后重新发送"),
}


class _Facts(dict[str, object]):
    def __missing__(self, key: str) -> str:
        return "–"


def codes() -> frozenset[str]:
    """Every code that has words."""
    return frozenset(_WORDS)


def title_of(code: str, tongue: str) -> str:
    """Short name of the error."""
    words = _WORDS.get(code, _WORDS["VALIDATION"])
    return words[1] if tongue == "zh" else words[0]


def detail_of(error: StoretwinError, tongue: str) -> str:
    """What was found, in one sentence."""
    if tongue != "zh":
        return error.detail
    facts = _Facts(getattr(error, "facts", {}))
    facts.setdefault("field", error.field or "–")
    for name in ("sku", "location", "document"):
        if name not in facts and error.row is not None:
            facts[name] = error.row
    return _WORDS.get(error.code, _WORDS["VALIDATION"])[2].format_map(facts)


def remedy_of(error: StoretwinError, tongue: str) -> str | None:
    """What to do about it."""
    if tongue == "zh":
        return _WORDS.get(error.code, _WORDS["VALIDATION"])[3]
    return error.remedy
