-- The rows that the snapshot reads.

INSERT INTO "Netz"."Station"
SELECT
    md5(n::text)::uuid, 'Station ' || n, n + 0.1 ^ n, date '1850-01-01' + 400 * n, ARRAY[n, NULL, -n],
    jsonb_build_object('a "b"', n, 'c.d', ARRAY[NULL, 'é']), decode(repeat(md5(n::text), 200), 'hex'), n % 2 = 0
FROM generate_series(1, 20) AS n;

INSERT INTO "Netz"."Segment"
SELECT md5(n::text)::uuid, n / 3.0, 'Branch line', md5((n % 20 + 1)::text)::uuid, repeat('opened. ', 500 * (n % 2))
FROM generate_series(1, 20) AS n;

INSERT INTO "rolling stock"."train set" ("set number", "car no", "car kind", "tare mass", "built on", "equipment list")
SELECT n, 1, 'Buffet, with "bar"', n::numeric / 7, date '1990-02-28' + n, ARRAY['bell, "loud"', NULL, '']
FROM generate_series(1, 30) AS n;

INSERT INTO "the ""Fares"" of today"."zone ""A"" and up"
SELECT n, n * 1.05, date '0001-01-01' + n, 'no "refunds" ' || n FROM generate_series(1, 9) AS n;

INSERT INTO "ops.v2"."delay.report" ("set.number", "car.no", "minutes.late", "from.day", "seen.at", "cause.text")
SELECT n, 1, n / 10.0, '2026-02-28', timestamptz '2026-02-28Z' + n * interval '1 us', repeat('leaves. ', 300 * (n % 3))
FROM generate_series(1, 20) AS n;

INSERT INTO "select"."table" SELECT 'group "' || n || '"', n FROM generate_series(1, 9) AS n;
INSERT INTO "select"."order"
SELECT n, 'group "' || n % 9 + 1 || '"', '1969-12-31', '1969-12-31 23:59:59.999999Z', '{"a": [1.50, null]}', NULL, 1e40
FROM generate_series(1, 20) AS n;

INSERT INTO the_department_of_all_signals_switches_and_crossings_of_railway."журнал_проверки_стрелочных_перево"
SELECT n, repeat('rust ', n * 200), '2000-02-29' FROM generate_series(1, 20) AS n;

INSERT INTO "équipage_🚂"."Zugführer"
SELECT 'Nr. ' || n, 'Zoë ' || n, n * 9.99, '1980-12-31', decode(repeat(md5(n::text), 200), 'hex'), n, -n
FROM generate_series(1, 20) AS n;

INSERT INTO received
SELECT
    n, 'v' || n, n, repeat('after ', 800 * (n % 2)), '{"op": "d"}', 'event', n, 'raw', n, n % 2 = 0, n,
    '{"v0": "x"}', n, ARRAY[n], n, 'none', 'h', n
FROM generate_series(1, 20) AS n;

INSERT INTO departure
SELECT 'line ' || n % 4, timestamptz '2025-12-31 22:00Z' + n * interval '7 min', n, 1, n, repeat('slow ', 700 * (n % 2))
FROM generate_series(1, 30) AS n;

INSERT INTO "sensor log"
SELECT timestamptz '2026-01-01Z' + n % 7 * interval '1 s', n % 3, n % 5 / 10.0, '\x00ff', 'µm'
FROM generate_series(1, 60) AS n;

INSERT INTO badge
SELECT n, 'code ' || n % 10, n / 10, decode(repeat(md5(n::text), 200), 'hex'), 'holder ' || n
FROM generate_series(1, 30) AS n;

INSERT INTO ticket (ticket_id, zone, starts_at, seller, valid, price, discount, labels, terms)
SELECT
    md5(n::text)::uuid, n % 9 + 1, md5((n % 20 + 1)::text)::uuid, 'Nr. ' || n % 20 + 1, '[2026-01-01Z,2026-02-01Z)',
    n * 1.5, n / 1000.0, ARRAY['child', NULL], repeat('keep this ', 400 * (n % 2))
FROM generate_series(1, 40) AS n;
