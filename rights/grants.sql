-- What the portal's own database role may do with the ledger: read it and add to it. Nothing else.
-- Run by the owner of the tables after each `migrate` (it rewrites the trigger's function):
--   psql "$OWNER_DATABASE_URL" --set role=portal_web --file rights/grants.sql
REVOKE ALL ON rights_pocket, rights_movement, rights_seal, rights_sealedmovement, rights_ledgercheck,
    rights_adjustment FROM :"role";
GRANT SELECT, INSERT ON rights_pocket, rights_movement, rights_seal, rights_sealedmovement, rights_ledgercheck,
    rights_adjustment TO :"role";
-- To lock a pocket (SELECT … FOR NO KEY UPDATE) a role must be able to update something of it; its trigger
-- refuses that the label changes.
GRANT UPDATE (label) ON rights_pocket TO :"role";
-- A proposal is decided, never changed.
GRANT UPDATE (state, decided_by_id, decided_at, answer) ON rights_adjustment TO :"role";
GRANT USAGE ON SEQUENCE rights_movement_id_seq, rights_ledgercheck_id_seq, rights_adjustment_id_seq TO :"role";
-- The record of each year, too, is only added to; a statement may be superseded, nothing else.
REVOKE ALL ON rights_yearlycredit, rights_yearlystatement FROM :"role";
GRANT SELECT, INSERT ON rights_yearlycredit, rights_yearlystatement TO :"role";
GRANT UPDATE (superseded_at) ON rights_yearlystatement TO :"role";
GRANT USAGE ON SEQUENCE rights_yearlycredit_id_seq, rights_yearlystatement_id_seq TO :"role";
-- Conditions and envelopes are kept as they were made.
REVOKE ALL ON rights_earmark, rights_envelope FROM :"role";
GRANT SELECT, INSERT ON rights_earmark, rights_envelope TO :"role";
GRANT USAGE ON SEQUENCE rights_earmark_id_seq TO :"role";
-- The one writer of balances runs as the owner of the tables.
DO $$
DECLARE
    writer regprocedure;
BEGIN
    SELECT tgfoid INTO STRICT writer FROM pg_trigger
    WHERE tgrelid = 'rights_movement'::regclass AND tgname LIKE 'pgtrigger_movement_moves_balances_%';
    EXECUTE format('ALTER FUNCTION %s SECURITY DEFINER SET search_path = public, pg_temp', writer);
END
$$;
