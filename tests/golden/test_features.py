"""The index of features: where each supported feature is shown."""

from typing import Any

import pytest
import yaml

from golden.cases import FOLDER
from headgate.resolve.gateways.supported_features import SUPPORTED

INDEX: dict[str, Any] = yaml.load((FOLDER / "features.yaml").read_text(), yaml.CSafeLoader)


def test_the_index_names_every_supported_feature_and_no_other() -> None:
    assert tuple(INDEX) == SUPPORTED


@pytest.mark.parametrize("feature", INDEX)
def test_a_feature_has_a_golden_case_or_a_test_and_all_that_it_names_exist(feature: str) -> None:
    cases = [FOLDER / f"{name}.in.yaml" for name in INDEX[feature]["cases"]]
    tests = [FOLDER.parent / name for name in INDEX[feature].get("tests", ())]
    assert cases or tests
    assert [path.name for path in (*cases, *tests) if not path.exists()] == []
