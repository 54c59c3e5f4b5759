"""The report and the picture of a run."""

from dataclasses import replace
from pathlib import Path

from PIL import Image

from benchmarks.hash_engines import Engines
from benchmarks.picture import draw
from benchmarks.report import plot, report
from benchmarks.start import Start
from benchmarks.targets import targets
from registration.hashing.calibration import Costs
from tests.benchmarks.runs import PERFECT, ROW


def test_names_the_machine_and_the_targets() -> None:
    """The report names the machine, says that peers were not measured, and lists each target."""
    text = report("A machine with 2 cores", PERFECT, list(targets(PERFECT)))
    assert "A machine with 2 cores" in text
    assert "not part of this run" in text
    assert text.count("| met ") == len(list(targets(PERFECT)))
    assert "NOT MET" not in text


def test_shows_what_is_not_met() -> None:
    """A missed target is marked NOT MET, and a missing number is a dash."""
    bad = replace(PERFECT, engines=[Engines(Costs(8, 1), None, None, 1.0, 1.0, None)] * 2, start=Start(1.6, 79.0))
    text = report("A machine", bad, list(targets(bad)))
    assert text.count("NOT MET") == 1
    assert "| -  " in text


def test_tables_are_aligned() -> None:
    """The lines of a table have one length, for readers of the text."""
    lines = report("A machine", PERFECT, list(targets(PERFECT))).splitlines()
    tables = [line for line in lines if line.startswith("|")]
    assert all(line.endswith("|") for line in tables)
    assert {len(line) for line in tables[:3]} == {len(tables[0])}


def test_plot_draws_the_rate_within_the_bare_rate() -> None:
    """Full blocks are registrations, light ones the rest of the bare hashes, and all bars have one scale."""
    whole, half = plot([ROW, replace(ROW, rate=45.0, bare_rate=50.0)]).splitlines()
    assert (whole.count("█"), whole.count("░")) == (45, 5)
    assert half.count("█") in {22, 23}
    assert "45 of 50/s" in half


def test_picture_is_a_png(tmp_path: Path) -> None:
    """The picture has a row for each load."""
    draw(tmp_path / "few.png", "A machine", [ROW])
    draw(tmp_path / "many.png", "A machine", [ROW] * 12)
    with Image.open(tmp_path / "few.png") as few, Image.open(tmp_path / "many.png") as many:
        assert few.format == many.format == "PNG"
        assert few.height < many.height
