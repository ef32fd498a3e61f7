"""Shifted coordinates go back to where they came from, alone and inside geometries of every kind."""

from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shudu.lake import geodesy

CHINA = st.tuples(st.floats(74.0, 134.0), st.floats(18.0, 53.0))


@pytest.mark.parametrize(
    ("convert", "there"),
    [
        # The vectors that the widely used `coordtransform` documents for 116.404, 39.915.
        (geodesy.wgs84_to_gcj02, (116.41024449916938, 39.91640428150164)),
        (geodesy.bd09_to_gcj02, (116.39762729119315, 39.90865673957631)),
        (geodesy.gcj02_to_bd09, (116.41036949371029, 39.92133699351021)),
    ],
)
def test_known_points(convert: object, there: tuple[float, float]) -> None:
    assert callable(convert)
    assert convert(116.404, 39.915) == pytest.approx(there, abs=1e-9)


@settings(derandomize=True, max_examples=200, database=None)
@given(CHINA)
def test_gcj02_comes_back_to_the_millimetre(point: tuple[float, float]) -> None:
    assert geodesy.gcj02_to_wgs84(*geodesy.wgs84_to_gcj02(*point)) == pytest.approx(point, abs=1e-8)


@settings(derandomize=True, max_examples=200, database=None)
@given(CHINA)
def test_bd09_comes_back_to_a_metre(point: tuple[float, float]) -> None:
    # Its inverse is an approximation by design: both ways use the point they start from.
    assert geodesy.bd09_to_gcj02(*geodesy.gcj02_to_bd09(*point)) == pytest.approx(point, abs=1e-5)


def test_nothing_is_shifted_abroad() -> None:
    assert geodesy.to_wgs84(2.35, 48.86, "GCJ-02") == (2.35, 48.86)


def ring(order: str, points: list[tuple[float, ...]]) -> bytes:
    return struct.pack(f"{order}I", len(points)) + b"".join(struct.pack(f"{order}{len(p)}d", *p) for p in points)


@pytest.mark.parametrize("order", ["<", ">"])
def test_every_vertex_of_a_geometry_moves_and_heights_stay(order: str) -> None:
    def shape(points: list[tuple[float, ...]], single: tuple[float, ...]) -> bytes:
        mark = b"\x01" if order == "<" else b"\x00"
        polygon = mark + struct.pack(f"{order}II", 1003, 1) + ring(order, points)
        point = mark + struct.pack(f"{order}I", 1) + struct.pack(f"{order}2d", *single)
        return mark + struct.pack(f"{order}II", 7, 2) + polygon + point

    there = [(104.0, 30.0, 500.0), (105.0, 30.0, 501.0), (104.0, 31.0, 502.0)]
    back = [(*geodesy.gcj02_to_wgs84(lon, lat), height) for lon, lat, height in there]
    moved = geodesy.moved(shape(there, (104.5, 30.5)), "GCJ-02")
    assert moved == shape(back, geodesy.gcj02_to_wgs84(104.5, 30.5))


@settings(derandomize=True, max_examples=200, database=None)
@given(st.binary(max_size=60))
def test_what_is_no_geometry_is_refused(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        assert len(geodesy.moved(data, "GCJ-02")) == len(data)
