"""Triggers that nobody talks out of their work: those of the ledger's two tables.

A trigger of pgtrigger first asks whether the session told it to stand aside (`pgtrigger.ignore`, which any
role may set), and for one posting that question is a fiftieth of all. These do not ask: who wants one away
must own the table.
"""

from typing import Any

import pgtrigger
from pgtrigger import compiler


class FirmTriggerSql(compiler.UpsertTriggerSql):
    """As pgtrigger writes it, without the question. Migrations name it: what it writes never changes."""

    def get_template(self) -> str:
        return """
            CREATE OR REPLACE FUNCTION {pgid}()
            RETURNS TRIGGER AS $$
                {declare}
                BEGIN
                    {func}
                END;
            $$ LANGUAGE plpgsql;

            DROP TRIGGER IF EXISTS {pgid} ON {table};
            CREATE {constraint} TRIGGER {pgid}
                {when} {operation} ON {table}
                {timing}
                {referencing}
                FOR EACH {level} {condition}
                EXECUTE PROCEDURE {execute};

            COMMENT ON TRIGGER {pgid} ON {table} IS '{hash}';
        """


class _Firm:
    def compile(self, model: Any) -> compiler.Trigger:
        told = super().compile(model)  # type: ignore[misc]
        return compiler.Trigger(name=told.name, sql=FirmTriggerSql(**told.sql.kwargs))


class Firm(_Firm, pgtrigger.Trigger):
    pass


class FirmProtect(_Firm, pgtrigger.Protect):
    pass
