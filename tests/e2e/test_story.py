"""The story of the demo, end to end on real parts: a site dies in the middle of the writing, and nothing is lost."""

import io

import pytest
from rich.console import Console

from opensdrs.lab.screen import Screen
from opensdrs.lab.story import Story
from tests.e2e.conftest import Lab


@pytest.mark.timeout(400)
async def test_story_when_told_then_nothing_is_lost(lab: Lab) -> None:
    words = io.StringIO()
    story = Story(lab.api, lab.processes, Screen(Console(file=words, width=120)))
    await story.tell()
    outcome = story.outcome
    assert outcome.lost == 0, words.getvalue()
    assert set(outcome.audits) == {"failover", "planned failover"}
    assert all(found.present == found.acknowledged > 20 for found in outcome.audits.values())
    assert outcome.drill is not None
    assert outcome.drill.bad == 0
    assert 0 < outcome.copied_bytes < outcome.disk_bytes
    assert 0 < outcome.resent_bytes < outcome.disk_bytes
