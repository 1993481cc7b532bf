"""What two rooms must say alike though neither may import the other."""

from typing import get_args

from agent_core.release import AGENT_NAME
from facets.schema import load_seed_schema
from judges.replies import FindReply
from judges.rubric import load_rubric
from judges.verdict import Polarity
from pipelines.config import Config
from pipelines.targets import patient


def test_the_seed_schema_knows_the_types_of_the_rubric() -> None:
    schema, rubric = load_seed_schema(), load_rubric()
    polarities: tuple[Polarity, ...] = ("friction", "delight")
    for polarity in polarities:
        assert set(schema.known_values(polarity)) == set(rubric.names(polarity))


def test_the_seed_schema_knows_what_a_judge_may_say() -> None:
    schema = load_seed_schema()
    for facet in ("intent", "outcome"):
        said = set(get_args(FindReply.model_fields[facet].annotation))
        assert said <= set(schema.known_values(facet))


def test_breaches_of_the_bundled_agent_are_known_by_its_name() -> None:
    assert patient(Config()) == AGENT_NAME
