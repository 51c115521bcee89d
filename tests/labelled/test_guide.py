"""What the guide shows runs, in its order."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "labelled.md"


@pytest.mark.filterwarnings("ignore::FutureWarning:zarr")
def test_the_guide_runs() -> None:
    blocks = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert len(blocks) >= 5
    seen: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, str(GUIDE), "exec"), seen)
    assert seen["model"].coef_["units"].values.tolist() == ["K per K", "K per km", "K per ppm"]
    assert seen["trend"].coef_.dims == ("lat", "lon", "variable")
    assert np.isnan(seen["trend"].coef_.sel(lat=-75.0)).all()
