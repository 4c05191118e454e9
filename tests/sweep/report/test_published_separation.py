"""The tables of Huang et al. as reference rows."""

from sweep.report.published import published_scores

SCORES = published_scores("separation")


def gain(table: str, system: str, baseline: str, metric: str) -> float:
    values = {score.system: score.value for score in SCORES if (score.table, score.metric) == (table, metric)}
    return round(values[system] - values[baseline], 1)


def test_every_row_of_the_three_tables_has_both_metrics() -> None:
    rows = {(score.table, score.system) for score in SCORES}
    assert [sum(table == number for table, _ in rows) for number in "123"] == [4, 6, 12]
    assert len(SCORES) == 2 * len(rows)


def test_gains_are_those_the_paper_prints() -> None:
    for corpus, strategy, gains in (
        ("Libri2Mix", "PT-FT SE", (0.9, 1.0)),
        ("Libri2Mix", "multi-task SE", (0.5, 0.5)),
        ("WSJ0-2mix", "PT-FT SE", (0.7, 0.7)),
        ("WSJ0-2mix", "multi-task SE", (0.1, 0.2)),
    ):
        network = f"{corpus} Conv-TasNet"
        found = [gain("2", f"{network} {strategy}", f"{network} scratch", metric) for metric in ("si_sdri", "sdri")]
        assert tuple(found) == gains


def test_the_row_that_is_no_improvement_says_so() -> None:
    absolute = {score.system for score in SCORES if score.metric in ("si_sdr", "sdr")}
    assert absolute == {"(g) WSJ0-2mix DPTNet, original paper, 4 s"}
