"""What a run is shown as."""

from dataclasses import replace
from pathlib import Path

from PIL import Image

from benchmarks.hash_engines import Engines
from benchmarks.picture import draw
from benchmarks.report import plot, report
from benchmarks.start import Start
from benchmarks.targets import bars
from registration.hashing.calibration import Costs
from tests.benchmarks.runs import PERFECT, ROW


def test_names_the_machine_and_the_verdicts() -> None:
    """Numbers without a machine mean nothing; those of others are named as such."""
    text = report("A machine with 2 cores", PERFECT, list(bars(PERFECT)))
    assert "A machine with 2 cores" in text
    assert "not part of this run" in text
    assert text.count("| met ") == len(list(bars(PERFECT)))
    assert "NOT MET" not in text


def test_shows_what_is_not_met() -> None:
    """Plainly, and a number that is missing as a dash."""
    bad = replace(PERFECT, engines=[Engines(Costs(8, 1), None, None, 1.0, 1.0, None)] * 2, start=Start(1.6, 90.0))
    text = report("A machine", bad, list(bars(bad)))
    assert text.count("NOT MET") == 1
    assert "| -  " in text


def test_tables_are_aligned() -> None:
    """They are read as text, too."""
    lines = report("A machine", PERFECT, list(bars(PERFECT))).splitlines()
    tables = [line for line in lines if line.startswith("|")]
    assert all(line.endswith("|") for line in tables)
    assert {len(line) for line in tables[:3]} == {len(tables[0])}


def test_plot_draws_the_rate_within_the_limit() -> None:
    """Full blocks are what was registered; all bars have one scale."""
    whole, half = plot([ROW, replace(ROW, rate=45.0, limit=50.0)]).splitlines()
    assert (whole.count("█"), whole.count("░")) == (45, 5)
    assert half.count("█") in {22, 23}
    assert "45 of 50/s" in half


def test_picture_is_a_png(tmp_path: Path) -> None:
    """With a row for each load."""
    draw(tmp_path / "few.png", "A machine", [ROW])
    draw(tmp_path / "many.png", "A machine", [ROW] * 12)
    with Image.open(tmp_path / "few.png") as few, Image.open(tmp_path / "many.png") as many:
        assert few.format == many.format == "PNG"
        assert few.height < many.height
