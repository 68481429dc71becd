"""Types of the user's own, and of extensions that the tests' PostgreSQL does not have."""

SETUP = """
    CREATE TYPE mood AS ENUM ('happy', 'it''s, "ok"', '');
    CREATE TYPE pair AS (a int, b text);
    CREATE TYPE textrange AS RANGE (subtype = text);
    CREATE DOMAIN whole AS int8; CREATE DOMAIN price AS numeric(12, 2); CREATE DOMAIN fee AS price;
    CREATE DOMAIN words AS text; CREATE DOMAIN birthday AS date; CREATE DOMAIN at AS timestamp(3);
    CREATE DOMAIN counts AS int4[]; CREATE DOMAIN couple AS pair; CREATE DOMAIN raw AS bytea;
    CREATE DOMAIN yes AS bit(1);
    CREATE EXTENSION vector;
    CREATE CAST (bytea AS xml) WITHOUT FUNCTION;
"""
"""A server without libxml reads no xml, but has the type."""

STAND_INS = ("citext", "ltree", "hstore")
for name in STAND_INS:  # as their extensions make them, but with the text of the type as what is stored
    SETUP += f"""
        CREATE TYPE {name};
        CREATE FUNCTION {name}_in(cstring) RETURNS {name} LANGUAGE internal IMMUTABLE STRICT AS 'textin';
        CREATE FUNCTION {name}_out({name}) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout';
        CREATE TYPE {name} (INPUT = {name}_in, OUTPUT = {name}_out, STORAGE = extended);
        ALTER EXTENSION plpgsql ADD TYPE {name};
    """
SETUP += """
    CREATE FUNCTION hstore_to_jsonb(hstore) RETURNS jsonb LANGUAGE sql IMMUTABLE STRICT AS
        $$ SELECT ('{' || replace(replace($1::text, '=>', ': '), ': NULL', ': null') || '}')::jsonb $$;
    CREATE CAST (hstore AS jsonb) WITH FUNCTION hstore_to_jsonb(hstore);
"""
