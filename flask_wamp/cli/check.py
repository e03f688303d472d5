"""``flask wamp check``: what is wrong with a node, and what to do about it."""

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import click

from ..node.checking import check as check_node
from ..node.rules.finding import ERROR, WARNING, Finding
from .place import config_option

COLOURS = {ERROR: "red", WARNING: "yellow"}


@click.command("check")
@config_option
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.pass_context
def check(ctx: click.Context, config: Path, *, as_json: bool) -> None:
    """Look for mistakes in the node's configuration, and say what to do about each.

    Crossbar.io's own check is one part of it; others are the import of the application, its URIs,
    rights that strangers should not have, files, directories and ports.

    The exit code is 1 where there is an error, and 0 where there are warnings or nothing.
    """
    findings = check_node(config)
    counts = Counter(finding.severity for finding in findings)
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        for finding in findings:
            click.echo(_told(finding))
        click.echo(_summary(config, counts))
    ctx.exit(1 if counts[ERROR] else 0)


def _told(finding: Finding) -> str:
    severity = click.style(finding.severity, fg=COLOURS[finding.severity], bold=True)
    return (
        f"{severity} {click.style(finding.where, bold=True)} [{finding.rule}]\n"
        f"    {finding.text}\n    {click.style('->', fg='green')} {finding.remedy}"
    )


def _summary(config: Path, counts: Counter[str]) -> str:
    if not counts:
        return f"{config}: nothing to complain about"
    parts = [
        f"{counts[severity]} {severity}{'s' if counts[severity] != 1 else ''}"
        for severity in (ERROR, WARNING)
        if counts[severity]
    ]
    return f"{config}: {', '.join(parts)}"
