"""What docs/serve.md shows, against the running server."""

from __future__ import annotations

import types

from tests.test_docs import ROOT, blocks, run_python


def test_the_client_of_the_page_works(server, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    (block,) = [b for b in blocks(ROOT / "docs" / "serve.md") if b.language == "python"]
    assert "http://127.0.0.1:8000" in block.code
    code = block.code.replace("http://127.0.0.1:8000", server.address)
    run_python(code, block.place, types.ModuleType("documented"))
    printed = capsys.readouterr().out
    assert "cubic" in printed
    assert "mean_frequency" in printed
