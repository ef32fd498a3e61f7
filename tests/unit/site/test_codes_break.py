"""Where a catalogue code may break on a page."""

from __future__ import annotations

from shudu.site.templatetags.page import parted


def test_a_code_breaks_behind_its_stroke_and_is_escaped() -> None:
    assert parted("510100MA0000103/D00000197") == "510100MA0000103/<wbr>D00000197"
    assert parted("<b>/1") == "&lt;b&gt;/<wbr>1"
