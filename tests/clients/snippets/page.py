"""docs/clients.md, cut into its sections and their blocks."""

import re
from pathlib import Path

PAGE = Path(__file__).resolve().parents[3] / "docs" / "clients.md"

# What the page signs in to, and as whom.
URL = "http://127.0.0.1:8000"
EMAIL = "mia@example.com"
PASSWORD = "violet-otter-92"


def read_section(name):
    """The blocks of a section, in order: (language, text)."""
    sections = re.split(r"^## (.+)$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    text = dict(zip(sections[1::2], sections[2::2]))[name]
    return re.findall(r"^```(\w+)\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)


def read_blocks(name, language, count=2):
    """The texts of a section's blocks: a client, and how it is used."""
    blocks = read_section(name)
    assert [block[0] for block in blocks] == [language] * count, f"{name} has {[block[0] for block in blocks]}"
    return [text for _, text in blocks]
