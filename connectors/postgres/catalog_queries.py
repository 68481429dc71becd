"""The queries of PostgreSQL's catalogue that table contracts are read with.

A partitioned table stands for its partitions; tables of extensions belong to the extension.
"""

TABLES = """
    SELECT n.nspname, c.relname, CASE
        WHEN c.relkind = 'f' THEN 'it is a foreign table, whose changes are in no log here'
        WHEN c.relpersistence = 'u' THEN 'it is unlogged, so its changes are in no log'
        WHEN EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                     AND d.deptype = 'e') THEN 'it belongs to an extension' END
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'f') AND c.relpersistence <> 't' AND NOT c.relispartition
      AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
    ORDER BY 1, 2
"""
"""All that somebody may take for a table, and why it can't be captured; NULL: it can."""

# One statement, as it sees all of the catalogue at one moment; functions like `pg_partition_tree` would see it later.
# `base` walks from a domain to what it is made of; its innermost row has the type that travels.
# A key that is checked at commit is none: until then two rows may share it.
# A type keeps its bare name if PostgreSQL or an extension brought it: a type of the user's own
# may be called `date` and must not be taken for PostgreSQL's.
COLUMNS = """
    WITH RECURSIVE wanted AS (
        SELECT c.oid, n.nspname, c.relname, c.relkind, c.relreplident, c.relowner, c.relfilenode, c.reltype, c.relnatts
        FROM unnest(%(schemas)s::text[], %(names)s::text[]) AS w(schema, name)
        JOIN pg_namespace n ON n.nspname = w.schema
        JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = w.name
    ), base AS (
        SELECT a.attrelid, a.attnum, a.atttypid AS type, a.atttypmod AS modifier, 0 AS depth
        FROM wanted JOIN pg_attribute a ON a.attrelid = wanted.oid AND a.attnum > 0 AND NOT a.attisdropped
        UNION ALL
        SELECT b.attrelid, b.attnum, t.typbasetype, t.typtypmod, b.depth + 1
        FROM base b JOIN pg_type t ON t.oid = b.type AND t.typtype = 'd'
    ), named AS (
        SELECT t.oid, CASE
            WHEN t.typtype = 'e' THEN 'enum'
            WHEN t.typtype = 'c' THEN 'composite'
            WHEN t.typnamespace = 'pg_catalog'::regnamespace OR EXISTS (
                SELECT FROM pg_depend d WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e'
            ) THEN t.typname::text
            WHEN t.typtype = 'r' THEN 'range'
            WHEN t.typtype = 'm' THEN 'multirange'
            ELSE n.nspname || '.' || t.typname END AS name
        FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
    ), columns AS (
        SELECT DISTINCT ON (b.attrelid, b.attnum) b.attrelid, b.attnum, b.modifier, b.depth > 0 AS domain,
               CASE WHEN element.oid IS NULL THEN own.name ELSE '_' || element_name.name END AS type_name
        FROM base b
        JOIN pg_type t ON t.oid = b.type
        JOIN named own ON own.oid = t.oid
        LEFT JOIN pg_type element ON element.oid = t.typelem AND element.typarray = t.oid
        LEFT JOIN named element_name ON element_name.oid = element.oid
        ORDER BY b.attrelid, b.attnum, b.depth DESC
    ), members AS (
        -- What is updated is a table or a partition, so each of them must have an identity.
        SELECT w.oid AS root, w.relreplident AS of_root, w.nspname::text AS schema, w.relname::text AS name, w.oid,
               w.relkind, w.relreplident, w.relfilenode, 0::bigint AS attached
        FROM wanted w
        UNION ALL
        SELECT m.root, m.of_root, n.nspname::text,
               c.relname::text, c.oid, c.relkind, c.relreplident, c.relfilenode, i.xmin::text::bigint
        FROM members m JOIN pg_inherits i ON i.inhparent = m.oid
        JOIN pg_class c ON c.oid = i.inhrelid AND c.relispartition
        JOIN pg_namespace n ON n.oid = c.relnamespace
    ), of_members AS (
        SELECT m.root,
               jsonb_agg(jsonb_build_array(m.schema, m.name) ORDER BY m.oid <> m.root, m.schema, m.name) FILTER (
                   WHERE (m.relkind = 'r' OR m.oid = m.root) AND NOT (m.relreplident = m.of_root AND CASE m.relreplident
                       WHEN 'f' THEN true
                       WHEN 'n' THEN false
                       ELSE EXISTS (SELECT FROM pg_index i WHERE i.indrelid = m.oid AND i.indisvalid AND i.indimmediate
                                    AND CASE m.relreplident WHEN 'i' THEN i.indisreplident ELSE i.indisprimary END)
                       END)) AS unidentified,
               -- To attach a table updates the rows of its columns, after those of its system columns were written.
               jsonb_agg(jsonb_build_array(
                   m.oid::bigint, m.relfilenode::bigint, m.relreplident, m.attached,
                   EXISTS (SELECT FROM pg_attribute s JOIN pg_attribute u ON u.attrelid = s.attrelid AND u.attnum > 0
                           WHERE s.attrelid = m.oid AND s.attnum = -1 AND u.xmin = s.xmin AND u.cmin = s.cmin)
               ) ORDER BY m.oid) AS members
        FROM members m GROUP BY m.root
    ), of_indexes AS (
        SELECT m.root, jsonb_object_agg(i.indexrelid, i.xmin::text::bigint) AS indexes
        FROM members m JOIN pg_index i ON i.indrelid = m.oid
        WHERE i.indisunique AND i.indimmediate AND i.indisvalid AND i.indpred IS NULL
        GROUP BY m.root
    ), used AS (
        -- Types that a value depends on, without PostgreSQL's own, which never change.
        SELECT a.attrelid, a.atttypid AS type
        FROM wanted JOIN pg_attribute a ON a.attrelid = wanted.oid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE a.atttypid >= %(first_oid)s
        UNION
        SELECT u.attrelid, part.type
        FROM used u JOIN pg_type t ON t.oid = u.type
        CROSS JOIN LATERAL (
            SELECT t.typelem UNION ALL SELECT t.typbasetype
            UNION ALL SELECT r.rngsubtype FROM pg_range r WHERE t.oid IN (r.rngtypid, r.rngmultitypid)
            UNION ALL SELECT p.atttypid FROM pg_attribute p WHERE p.attrelid = t.typrelid AND p.attnum > 0
        ) AS part(type)
        WHERE part.type >= %(first_oid)s
    )
    SELECT w.nspname, w.relname, w.oid::bigint, w.relreplident,
           of_members.unidentified,
           w.relkind = 'p' AS partitioned,
           EXISTS (SELECT FROM pg_inherits h WHERE h.inhparent = w.oid AND w.relkind = 'r') AS has_children,
           has_schema_privilege(w.nspname, 'USAGE') AND has_table_privilege(w.oid, 'SELECT') AS readable,
           pg_has_role(w.relowner, 'USAGE') AS owned,
           row_security_active(w.oid) AS filtered,
           ARRAY(SELECT k.attname::text
                 FROM pg_index i
                 CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS u(attnum, at)
                 JOIN pg_attribute k ON k.attrelid = i.indrelid AND k.attnum = u.attnum
                 WHERE i.indrelid = w.oid AND u.at <= i.indnkeyatts AND i.indimmediate
                   AND CASE WHEN w.relreplident = 'i' THEN i.indisreplident ELSE i.indisprimary END
                 ORDER BY u.at) AS key,
           (SELECT t.xmin::text::bigint FROM pg_type t WHERE t.oid = w.reltype) AS row_type, w.relnatts,
           of_indexes.indexes, of_members.members,
           (SELECT jsonb_object_agg(concat(u.type, '/', t.typtype), ARRAY(
                SELECT concat_ws(' ', e.xmin, e.enumlabel) FROM pg_enum e WHERE e.enumtypid = t.oid
                UNION ALL
                SELECT concat_ws(' ', p.xmin, p.attnum) FROM pg_attribute p
                WHERE p.attrelid = t.typrelid AND p.attnum > 0))
            FROM used u JOIN pg_type t ON t.oid = u.type WHERE u.attrelid = w.oid AND t.typtype IN ('e', 'c')) AS types,
           (SELECT concat_ws('/', p.oid, p.xmin, r.oid, r.xmin)
            FROM pg_publication p JOIN pg_publication_rel r ON r.prpubid = p.oid
            WHERE p.pubname = %(publication)s AND r.prrelid = w.oid) AS publication,
           a.attname, a.attnum, a.attnotnull, a.attstorage, a.attgenerated, a.attndims, c.type_name, c.modifier,
           c.domain, a.atthasdef AND a.attgenerated = '' AND NOT a.attnotnull AS defaulted,
           a.xmin::text::bigint AS changed, a.atttypmod,
           (SELECT d.xmin::text::bigint FROM pg_attrdef d
            WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum) AS "default",
           -- A constant default of an added column stands in the catalogue, not in the rows from before; of a
           -- partitioned table, in that of each partition.
           CASE WHEN w.relkind = 'p' THEN ARRAY(
                    SELECT DISTINCT CASE WHEN l.atthasmissing THEN (l.attmissingval::text::text[])[1] END
                    FROM members m JOIN pg_attribute l ON l.attrelid = m.oid AND l.attname = a.attname
                    WHERE m.root = w.oid AND m.relkind = 'r')
                ELSE ARRAY[CASE WHEN a.atthasmissing THEN (a.attmissingval::text::text[])[1] END] END AS fills
    FROM wanted w
    JOIN of_members ON of_members.root = w.oid
    LEFT JOIN of_indexes ON of_indexes.root = w.oid
    LEFT JOIN pg_attribute a ON a.attrelid = w.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN columns c ON c.attrelid = a.attrelid AND c.attnum = a.attnum
    ORDER BY w.nspname, w.relname, a.attnum
"""
