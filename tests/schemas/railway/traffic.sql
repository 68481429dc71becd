-- Changes that any number of writers make in any order, any number of times; each statement chooses its rows itself.

-- "Netz"."Station", and by its foreign keys "Netz"."Segment" and ticket
INSERT INTO "Netz"."Station" ("Name", "kmPost", "openedOn", "Platforms", "Info", "Photo")
VALUES ('new "stop"', random(), '2026-02-28', '{}', '{"x": null}', decode(repeat(md5(random()::text), 300), 'hex'));
UPDATE "Netz"."Station" SET "isManned" = NOT coalesce("isManned", false), "Name" = "Name" || '.'
WHERE "stationId" IN (SELECT "stationId" FROM "Netz"."Station" ORDER BY random() LIMIT 2 FOR UPDATE SKIP LOCKED);
UPDATE "Netz"."Station" SET "stationId" = gen_random_uuid(), "kmPost" = "kmPost" * 10
WHERE "stationId" IN (SELECT "stationId" FROM "Netz"."Station" ORDER BY random() LIMIT 1 FOR UPDATE SKIP LOCKED);
DELETE FROM "Netz"."Station"
WHERE "stationId" IN (SELECT "stationId" FROM "Netz"."Station" ORDER BY random() LIMIT 1 FOR UPDATE SKIP LOCKED);
INSERT INTO "Netz"."Segment"
SELECT a."stationId", random(), 'it''s "closed"', b."stationId", repeat(random()::text, 300)
FROM "Netz"."Station" AS a CROSS JOIN "Netz"."Station" AS b ORDER BY random() LIMIT 2
ON CONFLICT ("toStation", "fromStation") DO UPDATE SET "Kind" = 'Main', "lengthKm" = excluded."lengthKm";

-- "rolling stock"."train set", and by its foreign keys "ops.v2"."delay.report" and departure
INSERT INTO "rolling stock"."train set" ("set number", "car no", "car kind", "tare mass")
VALUES (random() * 40, random() * 3, 'first class', random())
ON CONFLICT ("set number", "car no") DO UPDATE SET "taken seats" = (random() * 80)::int, "last seen at" = now();
UPDATE "rolling stock"."train set" SET "car no" = "car no" + 4 * (CASE WHEN "car no" > 3 THEN -1 ELSE 1 END)
WHERE "set number" = (random() * 40)::int;
DELETE FROM "rolling stock"."train set" WHERE "set number" = (random() * 40)::int AND "car no" > 2;
UPDATE "ops.v2"."delay.report" SET "minutes.late" = random() * 100, "from.day" = "from.day" + 1
WHERE "report.id" % 7 = (random() * 6)::int;
UPDATE "ops.v2"."delay.report" SET "cause.text" = repeat(random()::text, 300), "report.id" = - "report.id"
WHERE "report.id" IN (SELECT "report.id" FROM "ops.v2"."delay.report" ORDER BY random() LIMIT 1 FOR UPDATE SKIP LOCKED);
INSERT INTO "ops.v2"."delay.report" ("minutes.late", "seen.at", "cause.text")
VALUES (0, clock_timestamp(), 'a.b'), (-0.5, 'epoch', '');
DELETE FROM "ops.v2"."delay.report"
WHERE "report.id" IN (SELECT "report.id" FROM "ops.v2"."delay.report" ORDER BY random() LIMIT 1 FOR UPDATE SKIP LOCKED);
INSERT INTO departure
VALUES ('line ' || (random() * 4)::int, timestamptz '2025-12-31 22:00Z' + (random() * 200)::int * interval '1 min')
ON CONFLICT (line, departs_at) DO UPDATE SET platform = (random() * 9)::int;
UPDATE departure SET departs_at = departs_at + interval '61 min 1 us', platform = (random() * 9)::int
WHERE line = 'line ' || (random() * 4)::int AND departs_at < '2026-01-01 06:00Z';
UPDATE departure SET remarks = repeat(random()::text, 300) WHERE platform = (random() * 9)::int;
DELETE FROM departure WHERE platform = (random() * 30)::int;

-- "the ""Fares"" of today"."zone ""A"" and up", and by its foreign keys ticket
UPDATE "the ""Fares"" of today"."zone ""A"" and up"
SET "the ""net"" price" = random() * 100, "valid ""from"" on" = "valid ""from"" on" + 1
WHERE "the ""id"" number" % 3 = (random() * 2)::int;
UPDATE "the ""Fares"" of today"."zone ""A"" and up" SET "the ""id"" number" = (random() * 1000000)::int
WHERE "the ""id"" number" = (SELECT max("the ""id"" number") FROM "the ""Fares"" of today"."zone ""A"" and up");
DELETE FROM "the ""Fares"" of today"."zone ""A"" and up"
WHERE "the ""id"" number" = (SELECT min("the ""id"" number") FROM "the ""Fares"" of today"."zone ""A"" and up");
INSERT INTO "the ""Fares"" of today"."zone ""A"" and up"
VALUES ((random() * 20)::int, 0, '2999-12-31', repeat(random()::text, 300)) ON CONFLICT DO NOTHING;
INSERT INTO ticket (ticket_id, valid, price, discount, labels)
VALUES (gen_random_uuid(), tstzrange(now(), NULL), (random() * 100)::numeric, random(), '{"a,b","\"c\""}');
UPDATE ticket SET price = price + 1, starts_at = (SELECT "stationId" FROM "Netz"."Station" ORDER BY random() LIMIT 1)
WHERE ticket_id IN (SELECT ticket_id FROM ticket ORDER BY random() LIMIT 2 FOR UPDATE SKIP LOCKED);
UPDATE ticket SET ticket_id = gen_random_uuid()
WHERE ticket_id IN (SELECT ticket_id FROM ticket ORDER BY random() LIMIT 1 FOR UPDATE SKIP LOCKED);
DELETE FROM ticket
WHERE ticket_id IN (SELECT ticket_id FROM ticket ORDER BY random() LIMIT 1 FOR UPDATE SKIP LOCKED);

-- "select"."table", and by its foreign keys "select"."order"
INSERT INTO "select"."table" VALUES ('group "' || (random() * 20)::int || '"', 1) ON CONFLICT DO NOTHING;
UPDATE "select"."table" SET "check" = "check" + 1, "references" = "primary" WHERE "check" < 5;
UPDATE "select"."table" SET "primary" = 'moved ' || random()
WHERE "primary" IN (SELECT "primary" FROM "select"."table" ORDER BY random() LIMIT 1 FOR UPDATE SKIP LOCKED);
DELETE FROM "select"."table"
WHERE "primary" IN (SELECT "primary" FROM "select"."table" ORDER BY random() LIMIT 1 FOR UPDATE SKIP LOCKED);
INSERT INTO "select"."order" ("user", "from", "end", "null", "default", "all")
VALUES ((random() * 50)::int, 'today', now(), true, 'NaN', repeat(random()::text, 300))
ON CONFLICT ("user") DO UPDATE SET "null" = NOT "select"."order"."null", "values" = '[]';
UPDATE "select"."order" SET "user" = - "user" WHERE "user" % 5 = (random() * 4)::int AND abs("user") > 1;
DELETE FROM "select"."order" WHERE "user" = (random() * 50)::int;

-- 63 bytes
INSERT INTO the_department_of_all_signals_switches_and_crossings_of_railway."журнал_проверки_стрелочных_перево"
VALUES ((random() * 40)::int, repeat(random()::text, 300), '2026-01-01')
ON CONFLICT (the_number_under_which_a_signal_is_known_to_those_who_maintain_)
DO UPDATE SET what_was_found_when_this_signal_was_looked_at_for_the_first_tim = '2024-02-29';
UPDATE the_department_of_all_signals_switches_and_crossings_of_railway."журнал_проверки_стрелочных_перево"
SET the_number_under_which_a_signal_is_known_to_those_who_maintain_ =
    the_number_under_which_a_signal_is_known_to_those_who_maintain_ + 1000
WHERE the_number_under_which_a_signal_is_known_to_those_who_maintain_ % 9 = (random() * 8)::int;
DELETE FROM the_department_of_all_signals_switches_and_crossings_of_railway."журнал_проверки_стрелочных_перево"
WHERE the_number_under_which_a_signal_is_known_to_those_who_maintain_ = (random() * 40)::int;

-- Unicode
INSERT INTO "équipage_🚂"."Zugführer" ("№", "Größe") VALUES ('Nr. ' || (random() * 40)::int, random() * 99)
ON CONFLICT DO NOTHING;
UPDATE "équipage_🚂"."Zugführer" SET "prénom" = "prénom" || '́', "é" = "é" + 1 WHERE "é" % 5 = (random() * 4)::int;
UPDATE "équipage_🚂"."Zugführer" SET "№" = "№" || '🚂', "é" = "é" - 1 WHERE "№" = 'Nr. ' || (random() * 40)::int;
UPDATE "équipage_🚂"."Zugführer" SET "letztes Bild 📷" = decode(repeat(md5(random()::text), 300), 'hex')
WHERE "№" = 'Nr. ' || (random() * 40)::int;
DELETE FROM "équipage_🚂"."Zugführer" WHERE "№" = 'Nr. ' || (random() * 40)::int;

-- the lake's own names
INSERT INTO received (op, v0, after, old_key) VALUES ((random() * 30)::int, 'v1', repeat(random()::text, 300), 'x')
ON CONFLICT (op, v0) DO UPDATE SET reason = 'again', lsn = coalesce(received.lsn, 0) + 1;
UPDATE received SET op = op + 1000, v0 = v0 || '!', batch = batch + 1 WHERE op % 6 = (random() * 5)::int;
UPDATE received SET source = '{"op": "r"}', event = NULL, keep1 = NOT keep1 WHERE op % 6 = (random() * 5)::int;
DELETE FROM received WHERE op = (random() * 30)::int;

-- without a key, and by another key than the primary one
INSERT INTO "sensor log"
SELECT now(), n, random(), decode(repeat(md5(random()::text), 100 * n), 'hex'), NULL FROM generate_series(0, 2) AS n;
INSERT INTO "sensor log" SELECT * FROM "sensor log" ORDER BY random() LIMIT 3;
UPDATE "sensor log" SET reading = reading + 1 WHERE axle = (random() * 2)::int AND reading < 0.3;
UPDATE "sensor log" SET axle = axle, unit = 'same' WHERE unit IS NULL;
DELETE FROM "sensor log" WHERE axle = (random() * 2)::int AND reading > 1;
INSERT INTO badge
SELECT coalesce(max(id), 0) + 1, 'code ' || random(), 9, decode(repeat(md5(random()::text), 300), 'hex') FROM badge;
UPDATE badge SET id = - id, holder = 'of round ' || random() WHERE code = 'code ' || (random() * 10)::int;
UPDATE badge SET "Site" = "Site" + 10, code = code || '"' WHERE code = 'code ' || (random() * 10)::int AND "Site" < 50;
DELETE FROM badge WHERE code = 'code ' || (random() * 10)::int AND "Site" = 2;
