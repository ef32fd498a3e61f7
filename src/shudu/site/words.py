"""What codes are called on a page."""

from __future__ import annotations

from shudu.identity.types import MemberRole
from shudu.policy.events import Event
from shudu.policy.types import Role, Text

ROLES = {
    Role.AUDITOR: Text("审计方", "auditor"),
    Role.AUTHORITY: Text("主管部门", "department in charge"),
    Role.BUYER: Text("需方", "buyer"),
    Role.MODELLER: Text("模型提供方", "modeller"),
    Role.OPERATOR: Text("运营机构", "operating company"),
    Role.PROVIDER: Text("数据提供方", "provider"),
    Role.SYSTEM: Text("系统", "system"),
}
DUTIES = {
    MemberRole.ADMIN: Text("管理员", "administrator"),
    MemberRole.APPROVER: Text("审批人", "approver"),
    MemberRole.AUDITOR: Text("审计人", "auditor"),
    MemberRole.FINANCE: Text("财务", "finance"),
    MemberRole.STEWARD: Text("数据专员", "steward"),
}
EVENTS = {
    Event.AGREEMENT_CONCLUDED: Text("订立交易合同", "Agreement concluded"),
    Event.AGREEMENT_REVOKED: Text("撤销交易合同", "Agreement revoked"),
    Event.ASSET_PUBLISHED: Text("发布数据资源", "Asset published"),
    Event.BACKUP_TAKEN: Text("备份主目录", "Backup taken"),
    Event.FIELDS_FORGOTTEN: Text("擦除字段", "Fields erased"),
    Event.FUNDS_DEPOSITED: Text("资金入账", "Funds deposited"),
    Event.LEVEL_REVIEWED: Text("级别审核", "Level reviewed"),
    Event.LOG_OPENED: Text("开立账本", "Log opened"),
    Event.MEMBER_ADDED: Text("增加成员", "Member added"),
    Event.OFFER_ACCEPTED: Text("接受上架", "Offer accepted"),
    Event.OFFER_DRAFTED: Text("拟定上架", "Offer drafted"),
    Event.OFFER_WITHDRAWN: Text("下架", "Offer withdrawn"),
    Event.ORDER_PLACED: Text("下单", "Order placed"),
    Event.ORDER_RELEASED: Text("释放预留额度", "Reservation released"),
    Event.ORDER_SETTLED: Text("结算", "Settled"),
    Event.PARTY_CREATED: Text("登记主体", "Party registered"),
    Event.RELEASE_DECIDED: Text("放行审核", "Release decided"),
    Event.RUN_CLOSED: Text("任务完成", "Run closed"),
    Event.RUN_FAILED: Text("任务未完成", "Run failed"),
    Event.RUN_HELD: Text("任务待放行", "Run held"),
    Event.RUN_RESTARTED: Text("任务重新开始", "Run started again"),
    Event.RUN_STARTED: Text("任务开始", "Run started"),
    Event.TOKEN_ISSUED: Text("签发令牌", "Token issued"),
    Event.TOKEN_REVOKED: Text("撤销令牌", "Token revoked"),
    Event.VERSION_ERASED: Text("删除版本", "Version erased"),
    Event.VERSION_WITHDRAWN: Text("撤回版本", "Version withdrawn"),
}
# A state is a mark and a word: good, wait, bad or off.
STATES = {
    "active": ("good", Text("有效", "active")),
    "awaiting_review": ("wait", Text("待级别审核", "awaiting review")),
    "cancelled": ("off", Text("已取消", "cancelled")),
    "closed": ("good", Text("已完成", "closed")),
    "drafted": ("wait", Text("待各方接受", "drafted")),
    "erased": ("off", Text("已删除", "erased")),
    "failed": ("bad", Text("未完成", "failed")),
    "held": ("wait", Text("待放行", "held")),
    "live": ("good", Text("已上架", "live")),
    "placed": ("good", Text("已生效", "placed")),
    "queued": ("wait", Text("排队或运行中", "queued or running")),
    "released": ("off", Text("已释放", "released")),
    "reserved": ("wait", Text("已预留", "reserved")),
    "revoked": ("off", Text("已撤销", "revoked")),
    "running": ("wait", Text("运行中", "running")),
    "settled": ("good", Text("已结算", "settled")),
    "started": ("wait", Text("已开始", "started")),
    "usable": ("good", Text("可用", "live")),
    "withdrawn": ("off", Text("已下架", "withdrawn")),
    "withheld": ("off", Text("已撤回", "withdrawn")),
}
VERSION_STATES = {"live": "usable", "withdrawn": "withheld", "erased": "erased"}
KINDS = {"table": Text("数据表", "table"), "model": Text("模型", "model")}
ORIGINS = {
    "real": Text("真实数据", "real"),
    "real rows, synthetic key": Text("真实数据，主体键为合成", "real rows, synthetic key"),
    "synthetic": Text("合成数据", "synthetic"),
    "unstated": Text("未说明真实或合成", "real or synthetic: not stated"),
}
SENSITIVITIES = {
    "direct_identifier": Text("直接标识", "direct identifier"),
    "personal": Text("个人信息", "personal"),
    "sensitive": Text("敏感个人信息", "sensitive"),
}
STEPS = {
    "bind": Text("核对合同，绑定约定的列", "Check the agreements, bind the agreed columns"),
    "compute": Text("在数据沙箱里计算，核查后放行", "Compute in the clean room, check what is released"),
    "close": Text("再核对一次，登记交付结果", "Check once more, enter the result"),
}
METERS = {
    "rows_in": Text("读入行", "rows read"),
    "rows_out": Text("放行行", "rows released"),
    "bytes_out": Text("放行字节", "bytes released"),
    "bytes": Text("交付字节", "bytes delivered"),
}
REASONS = {
    "commit": Text("结算", "settlement"),
    "deposit": Text("入账", "deposit"),
    "quota": Text("开立额度", "quota opened"),
    "release": Text("释放预留额度", "reservation released"),
    "reserve": Text("预留", "reserved"),
}
RUN_KINDS = {"compute": Text("计算任务", "Run"), "delivery": Text("交付", "Delivery")}
SHARES = {
    "provider": Text("数据提供方", "provider"),
    "modeller": Text("模型提供方", "modeller"),
    "platform": Text("交易平台", "exchange"),
}
CHECKS = {
    "differencing": Text(
        "与此前的结果相减，推不出过小的组", "No small group can be told by subtracting earlier results"
    ),
    "group_by": Text("只按约定的列分组", "Grouped by agreed columns only"),
    "key": Text("每行都说得清是谁的", "Every row names its entity"),
    "singled_out": Text("得分不会显出少数主体", "The scores single nobody out"),
    "text": Text("分组取值不是自由文字", "Group values are no free text"),
    "too_few": Text("每组达到最小分组", "Every group is large enough"),
    "too_large": Text("结果的行数不超限", "The result is not too large"),
    "too_many_groups": Text("分组数不超限", "There are not too many groups"),
}
# What a check's evidence counts.
EVIDENCE = {
    "columns": Text("列", "columns"),
    "csv_bytes": Text("CSV 字节", "bytes as CSV"),
    "entities_in": Text("主体", "entities"),
    "groups_dominated": Text("过于集中的组", "groups too unequal"),
    "groups_in": Text("分组", "groups"),
    "groups_lone": Text("少数得分即可左右的组", "groups a few scores make"),
    "groups_merged": Text("并入合并组", "groups put into the remainder"),
    "groups_out": Text("放行的组", "groups released"),
    "groups_pulled_in": Text("一同并入的组", "groups put in with them"),
    "groups_told_apart": Text("相减可推出的组", "groups told by subtracting"),
    "groups_small": Text("过小的组", "groups too small"),
    "max_bytes": Text("字节上限", "most bytes"),
    "max_columns": Text("列数上限", "most columns"),
    "max_rows": Text("行数上限", "most rows"),
    "max_text": Text("文字长度上限", "longest text"),
    "min_group": Text("最小分组", "minimum group"),
    "nulls": Text("空值", "empty values"),
    "parquet_bytes": Text("Parquet 字节", "bytes as Parquet"),
    "releases_compared": Text("比对过的放行", "releases compared with"),
    "releases_unread": Text("无法读取的放行", "releases that could not be read"),
    "refused": Text("不许分组的列", "columns not to group by"),
    "rows": Text("行", "rows"),
    "unfinished": Text("未完成的比对", "comparisons not finished"),
    "too_long": Text("过长的取值", "values too long"),
}
# The fields a receipt discloses.
FIELDS = {
    "agreement": Text("合同", "agreement"),
    "agreements": Text("合同", "agreements"),
    "amount": Text("数额", "amount"),
    "amount_fen": Text("金额（分）", "amount (fen)"),
    "asset": Text("资源", "asset"),
    "assignee": Text("使用方", "assignee"),
    "assigner": Text("提供方", "assigner"),
    "base_iri": Text("基础网址", "base address"),
    "basis": Text("依据", "basis"),
    "buyer": Text("需方", "buyer"),
    "by": Text("由谁办理", "done by"),
    "checks_sha256": Text("核查记录摘要", "digest of the checks"),
    "closed": Text("结束", "closed"),
    "code": Text("代码", "code"),
    "expires": Text("到期", "expires"),
    "failed": Text("未完成的任务", "failed run"),
    "files": Text("文件摘要", "digests of files"),
    "inputs": Text("输入", "inputs"),
    "kind": Text("种类", "kind"),
    "level": Text("级别", "level"),
    "line": Text("条", "line"),
    "lines": Text("条", "lines"),
    "live": Text("是否上架", "live"),
    "membership": Text("成员关系", "membership"),
    "meters": Text("用量", "meters"),
    "offer": Text("上架", "offer"),
    "opinion_sha256": Text("意见摘要", "digest of the opinion"),
    "order": Text("订单", "order"),
    "origin": Text("账本名", "log"),
    "outputs": Text("输出", "outputs"),
    "owner": Text("提供方", "owner"),
    "party": Text("主体", "party"),
    "pins": Text("钉住的检查点", "pinned checkpoint"),
    "price_fen": Text("价格（分）", "price (fen)"),
    "purpose": Text("用途", "purpose"),
    "reason": Text("原因", "reason"),
    "role": Text("职责", "role"),
    "roles": Text("角色", "roles"),
    "rows": Text("行数", "rows"),
    "run": Text("任务", "run"),
    "runs": Text("次数", "runs"),
    "sandbox": Text("沙箱", "sandbox"),
    "schema_sha256": Text("结构摘要", "digest of the schema"),
    "scopes": Text("范围", "scopes"),
    "software": Text("软件", "software"),
    "source_sha256": Text("原文件摘要", "digest of the source"),
    "split": Text("分成", "split"),
    "split_fen": Text("分账（分）", "split (fen)"),
    "started": Text("开始", "started"),
    "terms_sha256": Text("条件摘要", "digest of the terms"),
    "token": Text("令牌", "token"),
    "unit": Text("单位", "unit"),
    "until": Text("截止", "until"),
    "version": Text("版本", "version"),
    "via": Text("从哪里办理", "by way of"),
}
