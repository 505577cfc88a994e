"""The tutorial pages do what they say, on our API and on the real one."""

from __future__ import annotations

from pathlib import Path

import pytest

from support import transcripts

PAGES = sorted((Path(__file__).parent / "pages").glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_does_what_it_says(page: Path, kubeconfig: Path, tmp_path: Path) -> None:
    variables = {"NS": f"page-{page.stem}", "KUBECONFIG": str(kubeconfig), "KUBECACHEDIR": str(tmp_path / "cache")}
    transcripts.run(page, tmp_path, variables)
