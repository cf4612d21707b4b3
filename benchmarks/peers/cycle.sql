-- The rows of one registration, request to acceptance, one statement a row: the peer of benchmarks/cycle.py.
-- Nothing is judged, counted or locked beforehand; constraints, indexes and triggers are those of the portal.
-- From outside: place (-1 at first), price, starts_on, ends_on, facts, skipped.

\set place :place + 1
SELECT dossier, holder, reader, email, purse, member, member_email, other, other_email, mailbox
    FROM bench_draft WHERE client = :client_id AND place = :place \gset

-- submit
BEGIN;
UPDATE dossiers_dossier SET asked_price_cents = :price, terms_version = '1' WHERE id = :dossier;
INSERT INTO dossiers_transition (dossier_id, verb, from_state, to_state, role, user_id, at, request_id, cause, reason, details)
    VALUES (:dossier, 'submit', 'draft', 'requested', 'holder', :reader, now(), gen_random_uuid(), '', '',
        jsonb_build_object('price_cents', :price::bigint, 'starts_on', :starts_on::text, 'ends_on', :ends_on::text))
    RETURNING id AS move \gset
INSERT INTO dossiers_deadline (dossier_id, kind, opened_at, last_day, due_at, skipped, outcome, next_reminder_at)
    VALUES (:dossier, 'provider_answer', now(), current_date + 3, current_date + 4, :skipped, '', now() + interval '1 day');
INSERT INTO notices_notice (id, user_id, email, kind, event_key, facts, link, created_at, next_attempt_at, attempts, last_error)
    VALUES (gen_random_uuid(), :member, :member_email, 'dossier_requested', concat('submit:', :move::text), :facts,
        concat('/demandes/', :dossier::text), now(), now(), 0, '');
INSERT INTO notices_notice (id, user_id, email, kind, event_key, facts, link, created_at, next_attempt_at, attempts, last_error)
    VALUES (gen_random_uuid(), :other, :other_email, 'dossier_requested', concat('submit:', :move::text), :facts,
        concat('/demandes/', :dossier::text), now(), now(), 0, '');
INSERT INTO notices_notice (id, user_id, email, kind, event_key, facts, link, created_at, next_attempt_at, attempts, last_error)
    VALUES (gen_random_uuid(), NULL, :mailbox, 'dossier_requested', concat('submit:', :move::text), :facts,
        concat('/demandes/', :dossier::text), now(), now(), 0, '');
COMMIT;

-- propose
BEGIN;
UPDATE dossiers_dossier SET price_cents = :price, starts_on = :starts_on, ends_on = :ends_on, change_reason = ''
    WHERE id = :dossier;
INSERT INTO dossiers_transition (dossier_id, verb, from_state, to_state, role, user_id, at, request_id, cause, reason, details)
    VALUES (:dossier, 'propose', 'requested', 'proposed', 'provider', :member, now(), gen_random_uuid(), '', '',
        jsonb_build_object('price_cents', :price::bigint, 'starts_on', :starts_on::text, 'ends_on', :ends_on::text))
    RETURNING id AS move \gset
UPDATE dossiers_deadline SET closed_at = now(), outcome = 'met', next_reminder_at = NULL
    WHERE dossier_id = :dossier AND closed_at IS NULL;
INSERT INTO dossiers_deadline (dossier_id, kind, opened_at, last_day, due_at, skipped, outcome, next_reminder_at)
    VALUES (:dossier, 'holder_answer', now(), current_date + 5, current_date + 6, :skipped, '', now() + interval '2 days');
INSERT INTO notices_notice (id, user_id, email, kind, event_key, facts, link, created_at, next_attempt_at, attempts, last_error)
    VALUES (gen_random_uuid(), :reader, :email, 'dossier_proposed', concat('propose:', :move::text), :facts,
        concat('/mes-dossiers/', :dossier::text), now(), now(), 0, '');
COMMIT;

-- accept
BEGIN;
INSERT INTO rights_pocket (id, kind, unit, holder_id, label, funder_kind, origin, balance)
    VALUES (gen_random_uuid(), 'reserved', 'eur_cent', :holder, 'Formation', '', '', 0) RETURNING id AS reserved \gset
INSERT INTO rights_movement (kind, source_id, target_id, amount, key, reason, formula, value_date, recorded_at, recorded_by_id)
    VALUES ('reserve', :purse, :reserved, :price, concat('accept:', :dossier::text, ':1', ':1'), 'Dossier', '[]', current_date, now(), :reader);
INSERT INTO dossiers_fundingline (dossier_id, round, position, kind, source_id, reserved_id, amount_cents, reason)
    VALUES (:dossier, 1, 1, 'purse', :purse, :reserved, :price, 'Dans l’ordre prévu par la loi.');
UPDATE dossiers_dossier SET free_until = now() + interval '14 days' WHERE id = :dossier;
INSERT INTO dossiers_transition (dossier_id, verb, from_state, to_state, role, user_id, at, request_id, cause, reason, details)
    VALUES (:dossier, 'accept', 'proposed', 'accepted', 'holder', :reader, now(), gen_random_uuid(), '', '',
        jsonb_build_object('rights_cents', :price::bigint, 'remainder_cents', 0)) RETURNING id AS move \gset
UPDATE dossiers_deadline SET closed_at = now(), outcome = 'met', next_reminder_at = NULL
    WHERE dossier_id = :dossier AND closed_at IS NULL;
INSERT INTO dossiers_deadline (dossier_id, kind, opened_at, last_day, due_at, skipped, outcome, next_reminder_at)
    VALUES (:dossier, 'withdrawal', now(), current_date + 14, current_date + 15, :skipped, '', now() + interval '14 days');
INSERT INTO notices_notice (id, user_id, email, kind, event_key, facts, link, created_at, next_attempt_at, attempts, last_error)
    VALUES (gen_random_uuid(), :reader, :email, 'dossier_accepted', concat('accept:', :move::text), :facts,
        concat('/mes-dossiers/', :dossier::text), now(), now(), 0, '');
INSERT INTO notices_notice (id, user_id, email, kind, event_key, facts, link, created_at, next_attempt_at, attempts, last_error)
    VALUES (gen_random_uuid(), :member, :member_email, 'dossier_accepted', concat('accept:', :move::text), :facts,
        concat('/demandes/', :dossier::text), now(), now(), 0, '');
INSERT INTO notices_notice (id, user_id, email, kind, event_key, facts, link, created_at, next_attempt_at, attempts, last_error)
    VALUES (gen_random_uuid(), :other, :other_email, 'dossier_accepted', concat('accept:', :move::text), :facts,
        concat('/demandes/', :dossier::text), now(), now(), 0, '');
INSERT INTO notices_notice (id, user_id, email, kind, event_key, facts, link, created_at, next_attempt_at, attempts, last_error)
    VALUES (gen_random_uuid(), NULL, :mailbox, 'dossier_accepted', concat('accept:', :move::text), :facts,
        concat('/demandes/', :dossier::text), now(), now(), 0, '');
COMMIT;
