"""The picture of a study."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import numpy as np

import tabseed as ts
from tabseed.errors import TabseedError
from tabseed.space import Choice, Int, Space


def test_the_picture_is_valid_for_any_names() -> None:
    hostile = '<script>alert("x")</script>\x00&'
    spaces = {hostile: {hostile: Choice((hostile, "]]>")), "n": Int(1, 9)}, "none": {}}

    def objective(family: str, settings: dict, stream: np.random.SeedSequence) -> float:
        if settings.get("n", 1) > 5:
            raise TabseedError(hostile)
        return float(settings.get("n", 0))

    study = ts.Tuner(spaces, proposer="random", random_state=0).run(objective, trials=8)
    picture = ts.parallel_coordinates(study)
    root = ElementTree.fromstring(picture)
    kinds = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert kinds == {"svg", "title", "rect", "g", "text", "line", "polyline"}
    lines = [e for e in root.iter() if e.tag.endswith("polyline")]
    assert len(lines) == 8
    reach = {len(e.attrib["points"].split()) for e in lines if "stroke-dasharray" in e.attrib}
    assert reach == {2}  # failed trials: two settings, no value
    assert sum(e.attrib["stroke-width"] == "3" for e in lines) == 1
    assert picture == ts.parallel_coordinates(study)
    empty = ts.Study({"a": Space({})}, ())
    assert ElementTree.fromstring(ts.parallel_coordinates(empty)) is not None
