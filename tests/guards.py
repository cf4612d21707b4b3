"""Guards that every test runs under.

They look at what the code does, not at what a test asserts: a page that writes on GET, a template
that names a variable nobody gave, a list whose order was left to chance. Each is shown to catch
its fault in tests/house/test_guards.py.
"""

import functools
import gzip
import random
import re
import sys
from collections import Counter
from html.parser import HTMLParser

from django.core.handlers.base import BaseHandler
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.query import QuerySet
from django.db.models.sql.compiler import SQLCompiler
from django.db.transaction import Atomic
from django.template import engines
from django.template.base import FilterExpression, Node

SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}


class Fault(AssertionError):
    """The code under test did what no code of the portal may do."""


def install():
    """Put every guard on, once per process."""
    engines["django"].engine.string_if_invalid = _UnknownVariable()
    _around(BaseHandler, "get_response", _guarded_response)
    _around(QuerySet, "_fetch_all", _shuffled_when_unordered)
    _around(SQLCompiler, "as_sql", _locks_name_their_table)
    _around(Atomic, "__exit__", _commit_hooks_run)
    _around(BaseDatabaseWrapper, "on_commit", _commit_hook_outside_any_block_runs)


def _around(owner, name, guard):
    original = getattr(owner, name)

    @functools.wraps(original)
    def guarded(self, *args, **kwargs):
        return guard(original, self, *args, **kwargs)

    setattr(owner, name, guarded)


# --- A template may only name what its view gave -------------------------------------------------


class _UnknownVariable(str):
    """What Django's engine shows instead of an unknown variable: here, a failure.

    The engine asks three things of `string_if_invalid`: is it set, does it hold "%s", and then
    `% name`. A value that fails silently on purpose (a missing related row) is also replaced by this
    object, and must stay as false and as empty as in production.
    """

    __slots__ = ()

    def __bool__(self):
        return sys._getframe(1).f_code is FilterExpression.resolve.__code__

    def __contains__(self, text):
        return text == "%s"

    def __mod__(self, name):
        frame = sys._getframe(1)
        while frame and frame.f_code is not Node.render_annotated.__code__:
            frame = frame.f_back
        origin = frame.f_locals["self"].origin.name if frame else "?"
        if "site-packages" in origin:  # Django's own admin and form templates count on silence
            return ""
        raise Fault(f"{origin}: unknown variable « {name} »")


# --- Reading never writes; pages hold no script, no style, no left-over ---------------------------

WRITE = re.compile(
    r'^\s*(?:INSERT\s+INTO|UPDATE|DELETE\s+FROM|MERGE\s+INTO|TRUNCATE(?:\s+TABLE)?|COPY)\s+"?(?P<first>\w+)'
    r'|\b(?:INSERT\s+INTO|UPDATE|DELETE\s+FROM|MERGE\s+INTO)\s+"(?P<inner>\w+)"',
    re.IGNORECASE,
)
# The session, the journal of who looked at what, and the sign-in package's own address book.
WRITABLE_ON_GET = {"accounts_loginsession", "accounts_journalentry", "account_emailaddress"}


def _refuse_writes(execute, sql, params, many, context):
    if found := WRITE.search(str(sql)):
        table = found["first"] or found["inner"]
        if table not in WRITABLE_ON_GET:
            raise Fault(f"a GET wrote to {table}: {sql}")
    return execute(sql, params, many, context)


def _guarded_response(original, self, request):
    if request.method in SAFE_METHODS:
        with connection.execute_wrapper(_refuse_writes):
            response = original(self, request)
    else:
        response = original(self, request)
    if _is_page_of_ours(request, response) and (faults := page_faults(_words_of(response))):
        raise Fault(f"{request.path}: " + "; ".join(faults))
    return response


def _is_page_of_ours(request, response):
    match = getattr(request, "resolver_match", None)
    is_admin = match is not None and match.app_name == "admin"  # its markup is Django's
    return (
        not response.streaming and not is_admin and response.get("Content-Type", "").startswith("text/html")
    )


def _words_of(response) -> str:
    is_packed = response.get("Content-Encoding") == "gzip"
    return gzip.decompress(response.content).decode() if is_packed else response.text


def page_faults(html: str) -> list[str]:
    """What no page of ours may hold. A whole page must also hold every id it points to."""
    page = _Page()
    page.feed(html)
    page.close()
    twice = [(name, times) for name, times in Counter(page.ids).items() if times > 1]
    lost = {pair for pair in page.pointed if pair[1] not in page.ids} if page.is_whole else set()
    return [
        *page.faults,
        *(f"id « {name} » stands {times} times" for name, times in twice),
        *(f"{name} points to « {target} », which is absent" for name, target in sorted(lost)),
    ]


class _Page(HTMLParser):
    POINTERS = ("for", "aria-describedby", "aria-labelledby", "aria-controls")

    def __init__(self):
        super().__init__()
        self.faults, self.ids, self.pointed, self.is_whole = [], [], set(), False
        self.inside = ""

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.inside = tag
        self.is_whole = self.is_whole or tag == "html"
        if tag == "style":
            self.faults.append("inline <style>")
        # Data, in the two shapes of JSON, is not run: the content policy says nothing of it.
        is_data = attributes.get("type") in {"application/json", "application/ld+json"}
        if tag == "script" and "src" not in attributes and not is_data:
            self.faults.append("inline <script>")
        for name, value in attrs:
            if name == "style":
                self.faults.append(f"style attribute on <{tag}>")
            if name.startswith("on") or name.startswith("hx-on"):
                self.faults.append(f"inline handler {name} on <{tag}>")
            if name == "id":
                self.ids.append(value)
            if name in self.POINTERS:
                self.pointed |= {(name, target) for target in (value or "").split()}
            self._look_for_left_overs(value or "")

    def handle_endtag(self, tag):
        self.inside = ""

    def handle_data(self, data):
        if self.inside != "script":
            self._look_for_left_overs(data)

    def _look_for_left_overs(self, text):
        if found := re.search(r"\{\{|\{%|\{#|%\}|\}\}", text):
            self.faults.append(f"left-over template tag near « {text[found.start() : found.start() + 40]} »")


# --- An order nobody asked for is no order --------------------------------------------------------


def _shuffled_when_unordered(original, self):
    was_read = self._result_cache is not None
    original(self)
    if not was_read and not self.ordered:
        random.shuffle(self._result_cache)


# --- A lock says which table it locks -------------------------------------------------------------


def _locks_name_their_table(original, self, *args, **kwargs):
    sql, params = original(self, *args, **kwargs)
    query = self.query
    if query.select_for_update and not query.select_for_update_of:
        top, inner = sql, None
        while top != inner:  # a join inside a subquery locks nothing
            top, inner = re.sub(r"\([^()]*\)", "", top), top
        if " JOIN " in top:
            raise Fault(f"select_for_update with a join needs of=(…): {sql}")
    return sql, params


# --- What is planned for after the commit happens -------------------------------------------------
# A test on one transaction never commits; its outermost block stands for the commit.


def _is_in_test_transaction_only(connection):
    return bool(connection.atomic_blocks) and all(block._from_testcase for block in connection.atomic_blocks)


def _commit_hooks_run(original, self, exc_type, exc_value, traceback):
    original(self, exc_type, exc_value, traceback)
    if exc_type is None and not self._from_testcase and _is_in_test_transaction_only(connection):
        hooks, connection.run_on_commit = connection.run_on_commit, []
        for _savepoints, hook, robust in hooks:
            _run(hook, robust)


def _commit_hook_outside_any_block_runs(original, self, func, robust=False):
    if _is_in_test_transaction_only(self):
        _run(func, robust)
    else:
        original(self, func, robust)


def _run(hook, robust):
    try:
        hook()
    except Exception:
        if not robust:  # Django logs what a robust hook raises, and goes on
            raise
