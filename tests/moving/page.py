"""The commands of a page, as its reader pastes them."""

import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


class Page:
    """A page whose addresses are replaced by those of the test; each must be on the page."""

    def __init__(self, name, replaced=()):
        text = (DOCS / name).read_text()
        for old, new in replaced:
            assert old in text, f"{name} does not say: {old}"
            text = text.replace(old, new)
        self.name = name
        self.sections = re.split(r"^#+ ", text, flags=re.MULTILINE)

    def blocks(self, heading, language="sh"):
        """The blocks in this language below a heading, up to the next one."""
        sections = [section for section in self.sections if section.split("\n", 1)[0] == heading]
        assert len(sections) == 1, f"{self.name} has {len(sections)} sections named {heading}"
        blocks = re.findall(rf"^```{language}\n(.*?)^```$", sections[0], flags=re.MULTILINE | re.DOTALL)
        assert blocks, f"{self.name} has no {language} below {heading}"
        return blocks
