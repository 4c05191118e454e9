"""Every form says the same, and LaTeX takes whatever a label holds."""

import csv
import io
import json

import pytest

from sweep.report.output_formats import FORMATS, View, escaped, print_view, to_csv, to_json, to_latex

VIEW = View(
    title="night_sweep",
    plain={"score": 1.23456},
    records=[{"candidate": "layer_1", "score": 1.23456, "low": None}],
    tables=[("tera & co", ["candidate", "score"], [["layer_1", "1.23 ± 0.10"]])],
    lines=["95 % of everything"],
)


@pytest.mark.parametrize("form", FORMATS)
def test_every_form_has_the_number(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    print_view(VIEW, form)
    assert "1.23" in capsys.readouterr().out


def test_programs_get_unrounded_numbers_and_empty_where_unknown() -> None:
    assert json.loads(to_json(VIEW)) == {"score": 1.23456}
    assert list(csv.DictReader(io.StringIO(to_csv(VIEW)))) == [{"candidate": "layer_1", "score": "1.23456", "low": ""}]


def test_latex_escapes_what_it_would_read_as_a_command() -> None:
    lines = to_latex(VIEW).splitlines()
    assert r"\caption{tera \& co}" in lines
    assert r"layer\_1 & 1.23 $\pm$ 0.10 \\" in lines
    assert "% 95 % of everything" in lines
    assert escaped("50 % of $x^2$ \\ {a}") == (r"50 \% of \$x\textasciicircum{}2\$ \textbackslash{} \{a\}")


def test_a_view_without_records_is_an_empty_file() -> None:
    assert to_csv(View(title="", plain={}, records=[], tables=[])) == ""
