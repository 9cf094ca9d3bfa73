"""The planner's page: try a scenario in the twin and see whether it is really better."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

import panel as pn
import panel_material_ui as pmui

from policies.domain.errors import StoretwinError
from policies.domain.kpis import KPIS
from ui.laboratory import Compared, ComparedKpi, Laboratory, Progress, WhatIf
from ui.numerals import difference, figure, interval, telling_digits
from ui.shell import BAR_CSS, HEAD_CSS, Visit, bar_html, card, html_pane, page
from ui.sources import Source

POLL_MS = 1_000
SHOWN_JOBS = 8
TABLE_CSS = """
:host { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font: 400 14px/1.5 var(--font); color: var(--text);
  font-variant-numeric: tabular-nums; }
th { text-align: left; color: var(--muted); font-weight: 600; padding: 6px 10px; }
td { border-top: 1px solid var(--line); padding: 8px 10px; white-space: nowrap; }
td.n, th.n { text-align: right; }
.better { color: var(--better); } .worse { color: var(--worse); } .unclear { color: var(--muted); }
td.v { font-weight: 600; }
ul { margin: 4px 0; padding-left: 18px; font: 400 14px/1.7 var(--font); color: var(--text); }
pre { margin: 4px 0 0; padding: 12px; border-radius: 6px; background: var(--background);
  color: var(--text); font: 400 13px/1.5 ui-monospace, "Noto Sans Mono CJK SC", monospace;
  overflow-x: auto; }
td.new { font-weight: 700; }
@media (max-width: 700px) {
  .base, .new { display: none; }
  td { white-space: normal; padding: 8px 6px; } th { padding: 6px; }
}
p.now { font: 400 14px/1.5 var(--font); color: var(--text); margin: 6px 0 0; }
p.bad { color: var(--worse); font-weight: 600; }
.track { height: 6px; border-radius: 3px; background: var(--line); overflow: hidden; }
.track i { display: block; height: 100%; background: var(--twin); }
"""
_ARROWS = {"better": "▲", "worse": "▼", "unclear": "●"}


def planner(source: Source, laboratory: Laboratory, visit: Visit) -> pmui.Page:
    """The page of `laboratory` for one visit; `source` gives clock and currency."""
    bench = _Bench(source, laboratory, visit)
    bar = html_pane(bar_html(visit, source.situation()), BAR_CSS)
    made = page(visit, visit.say("whatif.title"), bar, bench.layout())

    def poll() -> None:
        bench.poll()
        bar.object = bar_html(visit, source.situation())

    if pn.state.curdoc is not None:
        pn.state.add_periodic_callback(poll, period=POLL_MS)
    return made


@dataclass
class _Bench:
    """The form, the queue and the result of one visit."""

    source: Source
    laboratory: Laboratory
    visit: Visit

    def __post_init__(self) -> None:
        self.offer = self.laboratory.offer()
        self.job: str | None = None
        self._jobs_shown: list[tuple[str, str]] = []
        self._form()
        self.inputs = html_pane("", HEAD_CSS, TABLE_CSS)
        self.file = html_pane("", TABLE_CSS)
        self.now = html_pane("", TABLE_CSS)
        self.table = html_pane("", HEAD_CSS, TABLE_CSS)
        self.queue = pn.Column(sizing_mode="stretch_width")
        for widget in self.widgets.values():
            widget.param.watch(lambda _: self.describe(), "value")
        self.widgets["base"].param.watch(lambda _: self._from_base(), "value")
        self.describe()
        self.poll()
        self.show_result()

    # The form ---------------------------------------------------------------

    def _form(self) -> None:
        say, offer = self.visit.say, self.offer
        first = next(iter(offer.bases.values()))
        wide = {"sizing_mode": "stretch_width", "margin": (8, 6)}
        policies = list(dict.fromkeys([*offer.policies, *(b.policy for b in offer.bases.values())]))
        self.widgets = {
            "name": pmui.TextInput(
                label=say("whatif.name"), value=say("whatif.name_default"), **wide
            ),
            "base": pmui.Select(
                label=say("whatif.base"),
                options={self._base_words(label): label for label in offer.bases},
                value=first.base,
                **wide,
            ),
            "policy": pmui.Select(
                label=say("whatif.policy"),
                options={self._policy_words(one): one for one in policies},
                value=first.policy,
                **wide,
            ),
            "service_target": self._slider("service_target", 80.0, 99.5, 0.5, 97.0),
            "trucks": self._slider("trucks", 1, offer.max_trucks, 1, first.trucks),
            "demand_factor": self._slider("demand_factor", 50, 150, 5, 100),
            "replications": self._slider("replications", 2, offer.max_replications, 1, 10),
        }
        may_run = self.visit.person.may_run_whatif
        self.run = pmui.Button(
            label="", color="primary", variant="contained", disabled=not may_run, **wide
        )
        self.run.on_click(lambda _: self.start())
        self.halt = pmui.Button(
            label=say("whatif.stop"), variant="outlined", disabled=True, width=96, margin=(8, 6)
        )
        self.halt.on_click(lambda _: self.stop())
        self._from_base()

    def _base_words(self, label: str) -> str:
        key = f"base_name.{label}"
        return self.visit.say(key) if self.visit.say.has(key) else label

    def _policy_words(self, name: str) -> str:
        key = f"policy_name.{name}"
        return self.visit.say(key) if self.visit.say.has(key) else name

    def _slider(
        self, key: str, start: float, end: float, step: float, value: float
    ) -> pn.widgets.Widget:
        kind = pmui.IntSlider if isinstance(step, int) else pmui.FloatSlider
        return kind(
            label=self.visit.say(f"whatif.{key}"),
            start=start,
            end=end,
            step=step,
            value=min(max(value, start), end),
            sizing_mode="stretch_width",
            margin=(10, 14),
        )

    def _from_base(self) -> None:
        """Start from the inputs of what it is compared with."""
        base = self.offer.bases[str(self.widgets["base"].value)]
        self.widgets["policy"].value = base.policy
        self.widgets["service_target"].value = base.service_target * 100
        self.widgets["trucks"].value = base.trucks
        self.widgets["demand_factor"].value = round(base.demand_factor * 100)

    def asked(self) -> WhatIf:
        """What the form says."""
        value = {name: widget.value for name, widget in self.widgets.items()}
        return WhatIf(
            str(value["name"]),
            str(value["base"]),
            str(value["policy"]),
            round(float(value["service_target"]) / 100, 4),
            int(value["trucks"]),
            round(float(value["demand_factor"]) / 100, 4),
            int(value["replications"]),
        )

    # What it says -----------------------------------------------------------

    def describe(self) -> None:
        """Run time, differences and file of what the form says."""
        say = self.visit.say
        try:
            what = self.asked()
            text = self.laboratory.as_toml(what)
        except StoretwinError as problem:
            detail = say("whatif.invalid", detail=problem.detail)
            self.inputs.object = f'<p class="bad">▼ {escape(detail)}</p>'
            self.run.disabled = True
            return
        self.run.disabled = not self.visit.person.may_run_whatif
        steered = what.policy in self.offer.with_target
        self.widgets["service_target"].disabled = not steered
        self.run.label = f"{self._run_words(what)} ({self._time_words(what)})"
        self.file.object = f"<pre>{escape(text)}</pre>"
        self.inputs.object = self._changes_html(what)

    def _run_words(self, what: WhatIf) -> str:
        return self.visit.say("whatif.run", days=self.offer.days, runs=what.replications)

    def _time_words(self, what: WhatIf) -> str:
        say, seconds = self.visit.say, self.laboratory.seconds(what)
        if seconds is None:
            return say("whatif.about_unknown")
        if seconds >= 120:
            return say("whatif.about_minutes", minutes=round(seconds / 60))
        return say("whatif.about", seconds=max(round(seconds), 1))

    def _changes_html(self, what: WhatIf) -> str:
        say = self.visit.say
        found = what.differences(self.offer.bases[what.base])
        if not found:
            none = say("whatif.changed_none", base=self._base_words(what.base))
            return f"<p>{escape(none)}</p>"
        items = [
            say(
                "whatif.change",
                what=say(f"whatif.field_{name}"),
                base=self._input_words(name, old),
                new=self._input_words(name, new),
            )
            for name, old, new in found
        ]
        intro = escape(say("whatif.changed_sub", base=self._base_words(what.base)))
        return f"<p>{intro}</p><ul>{''.join(f'<li>{escape(item)}</li>' for item in items)}</ul>"

    def _input_words(self, name: str, value: object) -> str:
        if name == "policy":
            return self._policy_words(str(value))
        return f"{value * 100:g} %" if isinstance(value, float) else str(value)

    # Running ----------------------------------------------------------------

    def start(self) -> None:
        """Queue what the form says."""
        if not self.visit.person.may_run_whatif:
            return
        self.job = self.laboratory.submit(self.asked(), self.visit.person.name)
        self.table.object = f"<p>{escape(self.visit.say('whatif.state_queued'))}</p>"
        self.poll()

    def stop(self) -> None:
        """Stop the job that is shown."""
        if self.job is not None:
            self.laboratory.stop(self.job)
            self.poll()

    def poll(self) -> None:
        """Show how far the jobs are."""
        jobs = list(self.laboratory.jobs())[:SHOWN_JOBS]
        self._show_queue(jobs)
        if self.job is None:
            active = [found for found, _ in jobs if found.is_active]
            self.job = active[0].job if active else None
        if self.job is None:
            self.halt.disabled = True
            return
        found = self.laboratory.progress(self.job)
        was_active = not self.halt.disabled
        self.halt.disabled = not found.is_active or not self.visit.person.may_run_whatif
        self.now.object = self._progress_html(found)
        if was_active and not found.is_active:
            self.show_result()
            # A finished run tells how long the next will take.
            self.describe()

    def _progress_html(self, found: Progress) -> str:
        say = self.visit.say
        share = found.done / found.total if found.total else 0.0
        texts = [say(f"whatif.state_{found.state}")]
        if found.total:
            texts.append(say("whatif.progress", done=found.done, total=found.total))
        if found.kpi and found.half_width == found.half_width:
            unit, money = KPIS[found.kpi].unit, self.source.situation().currency
            texts.append(
                say(
                    "whatif.estimate",
                    kpi=say(f"kpi.{found.kpi}"),
                    value=difference(found.estimate, unit, say, money),
                    half=difference(found.half_width, unit, say, money).replace("+", ""),
                )
            )
        if found.message:
            texts.append(found.message)
        return (
            f'<div class="track"><i style="width:{share * 100:.0f}%"></i></div>'
            f'<p class="now" data-state="{found.state}">{escape(" · ".join(texts))}</p>'
        )

    def _show_queue(self, jobs: list[tuple[Progress, str]]) -> None:
        say = self.visit.say
        key = [(found.job, found.state) for found, _ in jobs]
        if key == self._jobs_shown and self.queue.objects:
            return
        self._jobs_shown = key
        rows: list[pn.viewable.Viewable] = []
        for found, name in jobs:
            choose = pmui.Button(
                label=say("whatif.open"), variant="outlined", width=88, size="small", margin=2
            )
            choose.on_click(lambda _, job=found.job: self.open(job))
            text = f"{escape(name)} · {escape(say(f'whatif.state_{found.state}'))}"
            rows.append(
                pn.Row(
                    html_pane(f'<p class="now">{text}</p>', TABLE_CSS),
                    choose,
                    sizing_mode="stretch_width",
                )
            )
        none = html_pane(f"<p>{escape(say('whatif.queue_none'))}</p>", HEAD_CSS)
        self.queue.objects = rows or [none]

    def open(self, job: str) -> None:
        """Show another job."""
        self.job = job
        self.now.object = self._progress_html(self.laboratory.progress(job))
        self.show_result()

    def show_result(self) -> None:
        """The compared table of the shown job."""
        found = self.laboratory.result(self.job) if self.job is not None else None
        if found is None:
            self.table.object = f"<p>{escape(self.visit.say('whatif.sure_none'))}</p>"
        else:
            self.table.object = compared_html(found, self.visit, self.source.situation().currency)

    # Layout -----------------------------------------------------------------

    def layout(self) -> pn.FlexBox:
        """Form on the left, answers on the right; one below the other on a phone."""
        say = self.visit.say
        parts: list[pn.viewable.Viewable] = [*self.widgets.values()]
        if not self.visit.person.may_run_whatif:
            parts.append(html_pane(f"<p>{escape(say('whatif.view_only'))}</p>", HEAD_CSS))
        parts += [pn.Row(self.run, self.halt, sizing_mode="stretch_width"), self.now]
        form = card(say("whatif.try"), "", *parts)
        form.styles = {"flex": "1 1 320px", "max-width": "min(440px, 100%)"}
        answers = pn.Column(
            card(say("whatif.sure"), "", self.table),
            card(say("whatif.changed"), "", self.inputs),
            card(say("whatif.queue"), say("whatif.queue_sub"), self.queue),
            card(say("whatif.as_file"), say("whatif.as_file_sub"), self.file),
            styles={"flex": "2 1 480px", "min-width": "min(480px, 100%)", "gap": "12px"},
            sizing_mode="stretch_width",
        )
        return pn.FlexBox(
            form,
            answers,
            sizing_mode="stretch_width",
            align_items="flex-start",
            gap="12px",
        )


def compared_html(found: Compared, visit: Visit, currency: str) -> str:
    """The paired-difference table: interval and a verdict in words for every KPI."""
    say = visit.say
    titles = ("kpi", "base", "new", "change", "interval", "verdict")
    head = "".join(
        f'<th class="{"n " if name in _NUMBERS else ""}{name}">'
        f"{escape(say(f'whatif.column_{name}'))}</th>"
        for name in titles
    )
    rows = [_row_html(row, visit, currency) for row in found.rows]
    intro = escape(say("whatif.sure_sub", pairs=found.pairs))
    return (
        f"<p><strong>{escape(found.name)}</strong> · {intro}</p>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    )


_NUMBERS = {"base", "new", "change", "interval"}


def _row_html(row: ComparedKpi, visit: Visit, currency: str) -> str:
    say, unit = visit.say, KPIS[row.name].unit
    # An end of the interval that rounds to zero would hide which side it lies on.
    ends = (row.low, row.high, row.difference)
    told = [telling_digits(end, (0.0,), unit) for end in ends if end != 0.0]
    digits = max(told) if told else None
    cells = (
        figure(row.base, unit, say, currency, digits=digits),
        figure(row.new, unit, say, currency, digits=digits),
        difference(row.difference, unit, say, currency, digits=digits),
        interval(row.low, row.high, unit, say, currency, digits=digits),
    )
    body = "".join(
        f'<td class="n {name}">{escape(cell)}</td>'
        for name, cell in zip(("base", "new", "change", "interval"), cells, strict=True)
    )
    verdict = f"{_ARROWS[row.verdict]} {say(f'whatif.{row.verdict}')}"
    return (
        f'<tr data-kpi="{row.name}"><td>{escape(say(f"kpi.{row.name}"))}</td>{body}'
        f'<td class="v {row.verdict}">{escape(verdict)}</td></tr>'
    )
