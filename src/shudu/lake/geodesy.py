"""Coordinates that Chinese map services shift, and back: GCJ-02 and BD-09 to WGS-84, which is CGCS2000 to a few cm.

GCJ-02's forward transform is known from its many independent implementations; it has no published inverse, so the
inverse is found by iteration until a further step moves the point by less than a millimetre. BD-09's is a rotation and
a scale on top of GCJ-02. Degrees, longitude first. Outside mainland China nothing is shifted (a rectangle, as every
implementation has it).
"""

from __future__ import annotations

import math
import struct

_A, _EE = 6_378_245.0, 0.006_693_421_622_965_943  # Krasovsky 1940
_X_PI = math.pi * 3_000.0 / 180.0
SHIFTED = ("GCJ-02", "BD-09")
Point = tuple[float, float]


def outside_china(lon: float, lat: float) -> bool:
    return not (72.004 <= lon <= 137.8347 and 0.8293 <= lat <= 55.8271)


def wgs84_to_gcj02(lon: float, lat: float) -> Point:
    if outside_china(lon, lat):
        return lon, lat
    x, y = lon - 105.0, lat - 35.0
    waves = (20.0 * math.sin(6.0 * x * math.pi) + 20.0 * math.sin(2.0 * x * math.pi)) * 2.0 / 3.0
    d_lat = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * math.sqrt(abs(x)) + waves
    d_lat += (20.0 * math.sin(y * math.pi) + 40.0 * math.sin(y / 3.0 * math.pi)) * 2.0 / 3.0
    d_lat += (160.0 * math.sin(y / 12.0 * math.pi) + 320.0 * math.sin(y * math.pi / 30.0)) * 2.0 / 3.0
    d_lon = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * math.sqrt(abs(x)) + waves
    d_lon += (20.0 * math.sin(x * math.pi) + 40.0 * math.sin(x / 3.0 * math.pi)) * 2.0 / 3.0
    d_lon += (150.0 * math.sin(x / 12.0 * math.pi) + 300.0 * math.sin(x / 30.0 * math.pi)) * 2.0 / 3.0
    radians = lat / 180.0 * math.pi
    magic = 1 - _EE * math.sin(radians) ** 2
    root = math.sqrt(magic)
    d_lat = d_lat * 180.0 / ((_A * (1 - _EE)) / (magic * root) * math.pi)
    d_lon = d_lon * 180.0 / (_A / root * math.cos(radians) * math.pi)
    return lon + d_lon, lat + d_lat


def gcj02_to_wgs84(lon: float, lat: float) -> Point:
    if outside_china(lon, lat):
        return lon, lat
    guess = (lon, lat)
    for _ in range(10):
        there = wgs84_to_gcj02(*guess)
        step = lon - there[0], lat - there[1]
        guess = guess[0] + step[0], guess[1] + step[1]
        if max(map(abs, step)) < 1e-9:
            break
    return guess


def bd09_to_gcj02(lon: float, lat: float) -> Point:
    x, y = lon - 0.0065, lat - 0.006
    z = math.hypot(x, y) - 0.00002 * math.sin(y * _X_PI)
    theta = math.atan2(y, x) - 0.000003 * math.cos(x * _X_PI)
    return z * math.cos(theta), z * math.sin(theta)


def gcj02_to_bd09(lon: float, lat: float) -> Point:
    z = math.hypot(lon, lat) + 0.00002 * math.sin(lat * _X_PI)
    theta = math.atan2(lat, lon) + 0.000003 * math.cos(lon * _X_PI)
    return z * math.cos(theta) + 0.0065, z * math.sin(theta) + 0.006


def to_wgs84(lon: float, lat: float, system: str) -> Point:
    """A point of `system` (one of `SHIFTED`) in WGS-84."""
    return gcj02_to_wgs84(*(bd09_to_gcj02(lon, lat) if system == "BD-09" else (lon, lat)))


def moved(wkb: bytes, system: str) -> bytes:
    """A geometry (ISO or extended WKB, any type, little or big endian) with every vertex moved to WGS-84.

    Raises ValueError for bytes that are no WKB.
    """
    data = bytearray(wkb)
    try:
        end = _move(data, 0, system)
    except (struct.error, IndexError, ArithmeticError, RecursionError):
        raise ValueError("the geometry ends early") from None
    if end != len(data):
        raise ValueError("the geometry goes on after its end")
    return bytes(data)


def _move(data: bytearray, at: int, system: str) -> int:
    order = "<" if data[at] == 1 else ">"
    (kind,) = struct.unpack_from(f"{order}I", data, at + 1)
    at += 5
    dimensions = 2 + bool(kind & 0x80000000) + bool(kind & 0x40000000)
    if kind & 0x20000000:
        at += 4
    iso, kind = divmod(kind & 0x0FFFFFFF, 1000)
    dimensions = max(dimensions, {0: 2, 1: 3, 2: 3, 3: 4}.get(iso, 2))

    def points(count: int, at: int) -> int:
        for _ in range(count):
            lon, lat = struct.unpack_from(f"{order}2d", data, at)
            if not math.isnan(lon):  # an empty point
                struct.pack_into(f"{order}2d", data, at, *to_wgs84(lon, lat, system))
            at += 8 * dimensions
        return at

    def number(at: int) -> int:
        found: int = struct.unpack_from(f"{order}I", data, at)[0]
        return found

    match kind:
        case 1:
            return points(1, at)
        case 2:
            return points(number(at), at + 4)
        case 3:
            rings, at = number(at), at + 4
            for _ in range(rings):
                at = points(number(at), at + 4)
            return at
        case 4 | 5 | 6 | 7:
            parts, at = number(at), at + 4
            for _ in range(parts):
                at = _move(data, at, system)
            return at
    raise ValueError("a kind of geometry that is not known")
