"""The audit at the end of a recorded run."""

from pathlib import Path

from policycliff.rollouts.audit import Audit, audit_table
from policycliff.rollouts.settings import AuditSettings


def write_audit(folder: Path, settings: AuditSettings, *, report: bool) -> Audit:
    """Audit the rollouts in a folder, and write the result to `audit/` there, on request with the HTML page."""
    from policycliff.cli.outputs import json_text, write_all  # noqa: PLC0415 - only at the end of training

    found = audit_table(folder, settings)
    contents = {"audit.json": json_text(found.to_dict())}
    if report:
        from policycliff.report.html import render_html  # noqa: PLC0415 - pages are heavy

        contents["report.html"] = render_html(found.to_dict())
    place = folder / "audit"
    place.mkdir(exist_ok=True)
    write_all({place / name: text for name, text in contents.items()})
    return found
