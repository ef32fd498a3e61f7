"""Formats that are never taken, known by their content whatever the file is called, each with its reason."""

from __future__ import annotations

import re
from dataclasses import dataclass

from shudu.policy.types import Invalid, Text


@dataclass(frozen=True, slots=True)
class _Format:
    code: str
    name: Text
    reason: Text


_RUNS = Text("读取这种文件会执行其中的代码", "reading such a file runs the code in it")
_HIDES = Text("压缩包里装着什么须先解开才知道", "what is in it shows only once it is unpacked")
_ENTITIES = Text(
    "XML 能引用外部实体，读到本机的文件", "XML can name external entities and so read files of this machine"
)
_PROGRAM = Text("它是程序", "it is a program")
_LAYERS = Text("它可含 Lambda 层，即任意代码", "it may hold Lambda layers, which are code")
_PARSER = Text("这里没有能核对其内容的读取程序", "nothing here can check what is in it")

_PICKLE = _Format("pickle", Text("pickle / joblib", "Pickle or joblib"), _RUNS)
_TORCH = _Format("torch", Text("PyTorch / TorchScript", "PyTorch or TorchScript"), _RUNS)
_SKOPS = _Format("skops", Text("skops", "Skops"), _RUNS)
_KERAS = _Format("keras", Text("Keras", "Keras"), _LAYERS)
_HDF5 = _Format("hdf5", Text("HDF5（Keras .h5）", "HDF5 (Keras .h5)"), _LAYERS)
_NPY = _Format("numpy", Text("NumPy 数组文件", "A NumPy file"), _RUNS)
_ZIP = _Format("archive", Text("压缩包", "An archive"), _HIDES)
_PMML = _Format("pmml", Text("PMML", "PMML"), _ENTITIES)
_XML = _Format("xml", Text("XML", "XML"), _ENTITIES)
_ELF = _Format("program", Text("可执行程序", "An executable program"), _PROGRAM)
_PYTHON = _Format("python", Text("Python 源代码", "Python source code"), _PROGRAM)
_ORT = _Format("ort", Text("ORT 格式", "The ORT format"), _PARSER)
_TFLITE = _Format("tflite", Text("TensorFlow Lite", "TensorFlow Lite"), _PARSER)
_SAFETENSORS = _Format("safetensors", Text("safetensors", "Safetensors"), _PARSER)
_BOOSTER = _Format("xgboost_binary", Text("XGBoost 旧二进制格式", "XGBoost’s old binary format"), _PARSER)

_BEGINS: tuple[tuple[bytes, _Format], ...] = (
    (b"\x89HDF\r\n\x1a\n", _HDF5),
    (b"\x93NUMPY", _NPY),
    (b"\x1f\x8b", _ZIP),
    (b"BZh", _ZIP),
    (b"\xfd7zXZ\x00", _ZIP),
    (b"7z\xbc\xaf\x27\x1c", _ZIP),
    (b"Rar!\x1a\x07", _ZIP),
    (b"\x28\xb5\x2f\xfd", _ZIP),
    (b"\x04\x22\x4d\x18", _ZIP),
    (b"\x7fELF", _ELF),
    (b"MZ", _ELF),
    (b"\xcf\xfa\xed\xfe", _ELF),
    (b"\x00asm", _ELF),
    (b"#!", _ELF),
    (b"\xac\xed\x00\x05", _ELF),
    (b"binf", _BOOSTER),
    (b"bs64", _BOOSTER),
)
_ZLIB = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")
_ENTRY = b"PK\x03\x04"
# Protocols 0 and 1 have no header: an opcode, and a stop at the end.
_OLD_PICKLE = re.compile(rb"\A(?:\(?[cilpd(\]}]|c[\w.]+\n[\w.]+\n|\(lp\d|\(dp\d|ccopy_reg\n)")
_SOURCE = re.compile(
    rb"\A\s*(?:import\s+\w|from\s+[\w.]+\s+import\s|def\s+\w+\s*\(|class\s+\w+|@\w|\"\"\"|'''|#.*coding)"
)


def refuse(data: bytes, file_name: str) -> None:
    """Raises Invalid `model.<format>` when the bytes are one of these formats."""
    found = _known(data)
    if found is not None:
        raise Invalid(
            f"model.{found.code}",
            Text(f"不接受{found.name.zh}：{found.reason.zh}。", f"{found.name.en} is not accepted: {found.reason.en}."),
            Text(
                "请改为导出 ONNX、LightGBM 文本、XGBoost JSON/UBJ、评分卡或单条 SELECT。",
                "Export it as ONNX, LightGBM text, XGBoost JSON or UBJ, a scorecard, or one SELECT instead.",
            ),
            {"file": file_name},
        )


def _known(data: bytes) -> _Format | None:
    for begin, found in _BEGINS:
        if data.startswith(begin):
            return found
    # A zip may have anything before it; what is in it stands in its directory at the end.
    if data.startswith(b"PK") or b"PK\x05\x06" in data[-65_557:]:
        return _zip(data)
    if data[:1] == b"\x80" and data[1:2] in b"\x01\x02\x03\x04\x05":
        return _PICKLE
    if data[:2] in _ZLIB:
        return _PICKLE  # how joblib compresses
    if data[4:8] == b"ORTM":
        return _ORT
    if data[4:8] == b"TFL3":
        return _TFLITE
    if data[8:9] == b"{" and int.from_bytes(data[:8], "little") < len(data):
        return _SAFETENSORS
    text = data[:4_096].lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n\x00").replace(b"\x00", b"")
    if text[:1] == b"<":
        return _PMML if b"PMML" in text else _XML
    if data.rstrip()[-1:] == b"." and _OLD_PICKLE.match(data):
        return _PICKLE
    return _PYTHON if _SOURCE.match(text) else None


def _zip(data: bytes) -> _Format:
    """Which of the formats that are archives, by the names in it."""
    starts: list[int] = []
    at = data.find(_ENTRY)
    while at >= 0 and len(starts) < 10_000:
        starts.append(at)
        at = data.find(_ENTRY, at + 4)
    names = b"\n".join(data[at + 30 : at + 30 + int.from_bytes(data[at + 26 : at + 28], "little")] for at in starts)
    if b".pkl" in names or b"__torch__" in names:
        return _TORCH
    if b"schema.json" in names:
        return _SKOPS
    if b"weights.h5" in names or b"metadata.json" in names:
        return _KERAS
    return _NPY if b".npy" in names else _ZIP
