# Copyright (c) 2026 rackforge contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Callback: progress of a big playbook that people can read."""

from __future__ import annotations

DOCUMENTATION = r"""
name: progress
type: stdout
short_description: Progress of a playbook by phases, with what every host is doing
version_added: 0.1.0
author: rackforge contributors (@rackforge)
description:
  - Prints a line when a phase (a play) begins and ends, warnings, messages of C(debug), differences with C(--diff), and every failure as it happens.
    After the recap each failure stands in full, with the next command to type.
  - On a terminal the foot of the screen shows each host that is at work, its task and for how long, as many as fit. The others are counted.
  - Without a terminal lines are only added. Every O(interval) seconds of silence one says what is still going on.
  - Where earlier runs of the same playbook on the same inventory succeeded, it says about how long this one will still take.
  - With C(-v) and more it prints what P(ansible.builtin.default#callback) prints, and the failures at the end.
extends_documentation_fragment:
  - default_callback
  - result_format_callback
options:
  interval:
    description: Seconds of silence without a terminal after which a line says what is still going on. V(0) for never.
    type: float
    default: 30
    env:
      - name: RACKFORGE_PROGRESS_INTERVAL
    ini:
      - section: callback_rackforge_progress
        key: interval
  refresh:
    description: Seconds between two drawings of the foot of a terminal. V(0) prints to a terminal as to a file.
    type: float
    default: 0.5
    env:
      - name: RACKFORGE_PROGRESS_REFRESH
    ini:
      - section: callback_rackforge_progress
        key: refresh
  width:
    description: Columns that the foot of a terminal may take. V(0) for as many as the terminal has.
    type: int
    default: 0
    env:
      - name: RACKFORGE_PROGRESS_WIDTH
    ini:
      - section: callback_rackforge_progress
        key: width
  cache:
    description:
      - Folder on the control node that keeps how long the phases of the last successful runs took, a small file for each playbook and inventory.
        Runs with C(--limit), C(--tags), C(--skip-tags), C(--start-at-task), C(--step) or C(--check) are not kept.
      - Without a value it is C(rackforge/progress) below E(XDG_CACHE_HOME), else below C(~/.cache). A folder that cannot be written is no failure.
    type: path
    env:
      - name: RACKFORGE_PROGRESS_CACHE
    ini:
      - section: callback_rackforge_progress
        key: cache
requirements:
  - set as stdout in configuration
notes:
  - E(ANSIBLE_STDOUT_CALLBACK=default) gives Ansible's own output back for one run.
"""

EXAMPLES = r"""
# ansible.cfg of a project that uses the collection
example: |
  [defaults]
  stdout_callback = rackforge.gpu_cluster.progress

  [callback_rackforge_progress]
  interval = 60
"""

import atexit
import os
import shutil
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

from ansible import constants, context
from ansible.plugins.callback.default import CallbackModule as Default
from ansible.utils.fqcn import add_internal_fqcns
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.progress_failures import (
    Failure,
    failure_text,
    first_line,
    render_failures,
    unrescued,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.progress_history import (
    history_path,
    read_runs,
    store_run,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.progress_screen import (
    Foot,
    Ticker,
    keep_clear,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.progress_text import (
    NAMED,
    at,
    block,
    clock,
    count,
    cut,
    heading,
    name_hosts,
    over,
    short_task,
    still,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.progress_timeline import (
    Outcome,
    Timeline,
    outcome_of,
)
from ansible_collections.rackforge.gpu_cluster.plugins.plugin_utils.shown_command import (
    arguments_of_this_run,
)

_DEBUG = add_internal_fqcns(("debug",))
#: What of the terminal's height stays for what was printed before.
_ROWS_ABOVE = 4
#: Letters of an item's label: some items are whole mappings.
_LABEL = 40
#: Methods of the display that print or ask.
_PRINTING = ("display", "prompt", "prompt_until")
#: Runs with one of these do not do what a whole run does.
_PARTIAL = ("subset", "check", "start_at_task", "step")


def _parts(result: Any) -> tuple[str, Any, Any]:
    """Return host, task and data of a result: ansible-core 2.19 renamed the attributes."""
    if hasattr(result, "result"):
        return result.host.get_name(), result.task, result.result
    return result._host.get_name(), result._task, result._result


def _flush() -> None:
    """Let a reader of stdout have what was said; one that is gone (``| head``) is no failure."""
    with suppress(OSError):
        sys.stdout.flush()


def _is_partial() -> bool:
    """Whether the command asks for less than the whole playbook on all hosts."""
    asked = context.CLIARGS
    tags = list(asked.get("tags") or ()) not in ([], ["all"]) or asked.get("skip_tags")
    return bool(tags or any(asked.get(name) for name in _PARTIAL))


def _is_rescued(task: Any) -> bool:
    """Whether a failure of the task leads to a rescue, as far as the playbook shows."""
    child, parent = task, getattr(task, "_parent", None)
    while parent is not None:
        inside = [getattr(each, "_uuid", None) for each in getattr(parent, "block", None) or ()]
        if getattr(parent, "rescue", None) and getattr(child, "_uuid", None) in inside:
            return True
        child, parent = parent, getattr(parent, "_parent", None)
    return False


class CallbackModule(Default):  # type: ignore[misc]  # ansible-core ships no types
    """Hands the events of a run to its timeline and prints what that shows."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "rackforge.gpu_cluster.progress"

    def __init__(self) -> None:
        super().__init__()
        self._timeline = Timeline(time.monotonic)
        self._failures: list[Failure] = []
        self._heading_due = False
        self._spoke = time.monotonic()
        #: Messages of debug that wait for the other hosts of their task.
        self._messages: dict[str, list[str]] = {}
        #: How many hosts of a task failed in the same way.
        self._alike: Counter[str] = Counter()
        # Forks of this process wait for this lock, so none inherits it held by the ticker.
        self._lock = self._display._lock
        self._foot: Foot | None = None
        self._ticker: Ticker | None = None
        self._playbook = Path()

    # Beginning and end

    @property
    def _verbose(self) -> bool:
        return bool(self._display.verbosity > 0)

    def v2_playbook_on_start(self, playbook: Any) -> None:
        """Learn the phases, and begin to tell."""
        super().v2_playbook_on_start(playbook)
        self._playbook = Path(playbook._file_name)
        self._timeline = Timeline(time.monotonic, read_runs(self._history))
        self._timeline.playbook([(play._uuid, play.get_name()) for play in playbook.get_plays()])
        if self._verbose:
            return
        refresh = self.get_option("refresh")
        asks = context.CLIARGS.get("step")
        if refresh > 0 and not asks and sys.stdout.isatty() and os.environ.get("TERM") != "dumb":
            self._foot = Foot(sys.stdout, lambda: shutil.get_terminal_size().columns)
            keep_clear(self._display, _PRINTING, self._lock, self._foot)
            self._ticker = Ticker(refresh, self._draw)
            # Also a run that is interrupted leaves no block behind.
            atexit.register(self._stop_drawing, os.getpid())
        else:
            self._ticker = Ticker(min(1.0, self.get_option("interval") or 1.0), self._remind)
        self._ticker.start()

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """Print the recap, then every failure in full."""
        self._end_phase()
        if self._ticker:
            self._ticker.stop()
        super().v2_playbook_on_stats(stats)
        totals = {host: stats.summarize(host) for host in stats.processed}
        counts = {host: (each["failures"], each["unreachable"]) for host, each in totals.items()}
        failures = unrescued(self._failures, counts)
        for line in render_failures(failures, arguments_of_this_run()):
            self._display.display(
                line, color=constants.COLOR_ERROR if line.startswith("FAILED") else None
            )
        if not any(map(any, counts.values())) and not _is_partial():
            store_run(self._history, self._timeline.run())
        took = clock(self._timeline.elapsed)
        self._display.display(f"\n{self._playbook.name} took {took}.")

    def _stop_drawing(self, owner: int) -> None:
        """Take the block away for good; forks of this process have none."""
        if os.getpid() == owner and self._foot and self._ticker:
            self._ticker.stop()
            with self._lock, suppress(OSError):
                self._foot.clear()

    @property
    def _history(self) -> Path:
        """Where the times of this playbook on this inventory are kept."""
        caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        folder = Path(self.get_option("cache") or caches / "rackforge" / "progress")
        inventories = [os.path.abspath(each) for each in context.CLIARGS.get("inventory") or ()]
        return history_path(folder, self._playbook.resolve(), inventories)

    # What is printed

    def _say(self, line: str, color: str | None = None) -> None:
        """Print a line of progress now: Ansible buffers stdout where it is no terminal."""
        self._display.display(line, color=color)
        _flush()
        self._spoke = time.monotonic()

    def _say_at(self, text: str, color: str | None = None) -> None:
        """Print a line of progress with the time since the start."""
        self._say(at(self._timeline.elapsed, text), color)

    def _draw(self) -> None:
        """Show the moment at the foot of the terminal; runs in the ticker's thread."""
        with self._lock:
            view = self._timeline.view()
            if self._foot is None or view is None:
                return
            size = shutil.get_terminal_size()
            columns = min(self.get_option("width") or size.columns, size.columns)
            rows = max(1, size.lines - _ROWS_ABOVE)
            self._foot.draw(block(view, columns - 1, rows))

    def _remind(self) -> None:
        """Say what is still going on after a time of silence; runs in the ticker's thread."""
        with self._lock:
            view = self._timeline.view()
            interval = self.get_option("interval")
            if view and interval > 0 and time.monotonic() - self._spoke >= interval:
                for line in still(view):
                    self._say(line)
            _flush()

    def _print_heading(self) -> None:
        """Print the heading of a phase once it turns out to have hosts."""
        view = self._timeline.view()
        if self._heading_due and view:
            self._heading_due = False
            mark = " [CHECK MODE]" if context.CLIARGS.get("check") else ""
            self._say(heading(view) + mark, constants.COLOR_HIGHLIGHT)

    def _end_phase(self) -> None:
        """End the phase that goes on; one without hosts says nothing."""
        with self._lock:
            self._print_messages()
            ended = self._timeline.play_ended()
            if self._foot:
                self._foot.clear()
        if ended and ended.hosts and not self._verbose:
            color = constants.COLOR_ERROR if ended.failed else constants.COLOR_OK
            self._say(over(self._timeline.elapsed, ended), color)

    def _print_messages(self) -> None:
        """Print what a task's hosts said alike: messages of debug, failures beyond the first."""
        messages, self._messages = self._messages, {}
        for text, hosts in messages.items():
            end = f"\n{text}" if "\n" in text else f" {text}"
            self._say_at(f"  {name_hosts(hosts)}:{end}", constants.COLOR_DEBUG)
        alike, self._alike = self._alike, Counter()
        for how, hosts_alike in alike.items():
            if hosts_alike > NAMED:
                more = count(hosts_alike - NAMED, "more host")
                self._say_at(f"  {more} {how}", constants.COLOR_ERROR)

    # Phases and tasks

    def v2_playbook_on_play_start(self, play: Any) -> None:
        """Begin a phase, or the next batch of its hosts."""
        if not self._timeline.is_same_play(play._uuid):
            self._end_phase()
            self._heading_due = True
        with self._lock:
            self._timeline.play_began(play._uuid, play.get_name())
        if self._verbose:
            super().v2_playbook_on_play_start(play)

    def v2_playbook_on_vars_prompt(self, *_args: Any, **_prompt: Any) -> None:
        """End the phase before a play that asks its user."""
        self._end_phase()

    def v2_playbook_on_no_hosts_matched(self) -> None:
        """Say nothing of a phase that is not for these hosts."""
        if self._verbose:
            super().v2_playbook_on_no_hosts_matched()

    def v2_playbook_on_no_hosts_remaining(self) -> None:
        """Say that the run ends here."""
        if self._verbose:
            super().v2_playbook_on_no_hosts_remaining()
        else:
            self._say_at("  no hosts are left", constants.COLOR_ERROR)

    def _task_start(self, task: Any, prefix: str | None = None) -> None:
        """Learn the name of a task, of a handler as well."""
        with self._lock:
            self._print_messages()
            self._timeline.task_began(task._uuid, short_task(task.get_name()))
        if self._verbose:
            super()._task_start(task, prefix)
        else:
            self._print_heading()

    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        """Learn that a host begins a task."""
        with self._lock:
            self._timeline.host_began(host.get_name(), task._uuid, self._name(task))
        if self._verbose:
            super().v2_runner_on_start(host, task)

    # Results

    def _ended(self, result: Any, outcome: Outcome) -> float:
        """Tell the timeline how a task ended on a host; return its seconds there."""
        host, task, data = _parts(result)
        with self._lock:
            seconds = self._timeline.host_ended(host, task._uuid, outcome)
        if not self._verbose:
            self._handle_warnings(data)
        return seconds

    def v2_runner_on_ok(self, result: Any) -> None:
        """Hear of a task that ended well."""
        _, task, data = _parts(result)
        self._ended(result, outcome_of(data))
        if self._verbose:
            super().v2_runner_on_ok(result)
        elif task.action in _DEBUG and not task.loop:
            self._keep_message(result)

    def v2_runner_on_skipped(self, result: Any) -> None:
        """Hear of a task that a host skips."""
        self._ended(result, Outcome.SKIPPED)
        if self._verbose:
            super().v2_runner_on_skipped(result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """Hear of a task that failed, say so, and keep its message for the end."""
        rescued = _is_rescued(_parts(result)[1])
        note = "which is ignored" if ignore_errors else "a rescue follows" if rescued else ""
        seconds = self._ended(result, Outcome.IGNORED if note else Outcome.FAILED)
        if not ignore_errors:
            self._keep_failure(result, seconds)
        self._say_failure(result, "failed", note)
        if self._verbose:
            super().v2_runner_on_failed(result, ignore_errors)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        """Hear of a host that does not answer, say so, and keep why for the end."""
        ignored = bool(_parts(result)[1].ignore_unreachable)
        seconds = self._ended(result, Outcome.IGNORED if ignored else Outcome.FAILED)
        if not ignored:
            self._keep_failure(result, seconds, unreachable=True)
        self._say_failure(result, "did not answer", "which is ignored" if ignored else "")
        if self._verbose:
            super().v2_runner_on_unreachable(result)

    def _keep_failure(self, result: Any, seconds: float, *, unreachable: bool = False) -> None:
        """Keep a failure for the end."""
        host, task, data = _parts(result)
        phase, place = self._timeline.phase, task.get_path() or ""
        text = failure_text(data)
        self._failures.append(
            Failure(
                host,
                phase,
                self._name(task),
                text,
                place,
                seconds,
                unreachable,
                for_all=bool(task.run_once),
            )
        )

    def _say_failure(self, result: Any, what: str, note: str) -> None:
        """Say in a line that a host failed; of many that fail alike the others are counted."""
        if self._verbose:
            return
        _, task, data = _parts(result)
        told = f"{what}{f', {note}' if note else ''}"
        how = f"{told}: {self._name(task)}: {first_line(failure_text(data))}"
        self._alike[how] += 1
        if self._alike[how] <= NAMED:
            color = constants.COLOR_SKIP if note else constants.COLOR_ERROR
            self._say_at(f"  {self.host_label(result)} {how}", color)

    def _name(self, task: Any) -> str:
        """Return the name under which a task was announced, or its own."""
        return self._timeline.task_name(task._uuid) or short_task(task.get_name())

    def _keep_message(self, result: Any) -> None:
        """Keep what debug says, until the other hosts have said it too."""
        host, task, data = _parts(result)
        if data.get("skipped"):
            return
        self._clean_results(data, task.action)
        text = data.get("msg")
        if not isinstance(text, str):
            text = self._dump_results(data)
        with self._lock:
            self._messages.setdefault(str(text), []).append(host)

    # Items of loops

    def _at_item(self, result: Any) -> None:
        """Tell the timeline which item of a loop has ended on a host."""
        host, _, data = _parts(result)
        with self._lock:
            label = cut(first_line(str(self._get_item_label(data))), _LABEL)
            self._timeline.host_at(host, f"after {label}")

    def v2_runner_item_on_ok(self, result: Any) -> None:
        """Hear of an item of a loop."""
        self._at_item(result)
        if self._verbose:
            super().v2_runner_item_on_ok(result)
        elif _parts(result)[1].action in _DEBUG:
            self._keep_message(result)

    def v2_runner_item_on_failed(self, result: Any) -> None:
        """Hear of an item that failed; the task says so with all of its items."""
        self._at_item(result)
        if self._verbose:
            super().v2_runner_item_on_failed(result)

    def v2_runner_item_on_skipped(self, result: Any) -> None:
        """Hear of an item that is skipped."""
        if self._verbose:
            super().v2_runner_item_on_skipped(result)

    def v2_runner_retry(self, result: Any) -> None:
        """Hear of a task that tries again."""
        host, _, data = _parts(result)
        with self._lock:
            tries = f"try {data.get('attempts', 0)} of {data.get('retries', 0)}"
            self._timeline.host_at(host, tries)
        if self._verbose:
            super().v2_runner_retry(result)

    # What the default callback prints without -v, and nobody needs to follow a run

    def v2_playbook_on_include(self, included_file: Any) -> None:
        """Say nothing of included files."""
        if self._verbose:
            super().v2_playbook_on_include(included_file)

    def v2_runner_on_async_poll(self, result: Any) -> None:
        """Say nothing of polls: the host is shown at its task."""
        if self._verbose:
            super().v2_runner_on_async_poll(result)

    def v2_runner_on_async_ok(self, result: Any) -> None:
        """Say nothing of a job's end: the task ends with it."""
        if self._verbose:
            super().v2_runner_on_async_ok(result)

    def v2_runner_on_async_failed(self, result: Any) -> None:
        """Say nothing of a job's end: the task fails with it."""
        if self._verbose:
            super().v2_runner_on_async_failed(result)

    def _print_task_banner(self, task: Any) -> None:
        """Name the task above a difference, as a line of progress."""
        if self._verbose:
            super()._print_task_banner(task)
            return
        self._last_task_banner = task._uuid
        self._say_at(f"  {self._name(task)}:")
