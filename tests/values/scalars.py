"""Values at the bounds of every type that is no array: what silver keeps, and what must go to quarantine."""

from tests.values.values import Values

LONG = "repeat('x', 9000)"
YEARS = ("infinity", "-infinity", "4713-01-01 BC", "0001-12-31 BC", "10000-01-01")
TEXTS = ("", " ", "a'b\"c\\d", "N", "NULL", "\n\t\u0001", "é😀", "a,b", "[null]")
RANGES = ("empty", "(,)", "[1,5)")
UUID = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"
OIDS = ("0", "4294967295")

SCALARS = {
    "int2": Values("int2", ("0", "-32768", "32767")),
    "int4": Values("int4", ("0", "-2147483648", "2147483647")),
    "int8": Values("int8", ("0", "-9223372036854775808", "9223372036854775807")),
    "oid": Values("oid", ("0", "2147483648", "4294967295")),
    "decimal": Values("numeric(12, 2)", ("0", "-0.01", "9999999999.99"), ("NaN",)),
    "hundreds": Values("numeric(5, -2)", ("0", "-100", "9999900"), ("NaN",)),
    "tiny": Values("numeric(38, 38)", ("0", "-0.5", "0." + "9" * 38), ("NaN",)),
    "huge": Values("numeric(50, 10)", ("0", "-" + "9" * 40 + ".0123456789", "NaN")),
    "numeric": Values(
        "numeric",
        ("1.50", "-0.0", "1e60", "1e-300", "0.00000000", "NaN", "Infinity", "-Infinity"),
        large="repeat('1', 9000)::numeric",
    ),
    "money": Values("money", ("0", "-92233720368547758.08", "92233720368547758.07", "12345678.90")),
    "float4": Values("float4", ("0.1", "-0", "NaN", "Infinity", "-Infinity", "1e-45", "3.4028235e38", "16777217")),
    "float8": Values("float8", ("0.1", "-0", "NaN", "Infinity", "-Infinity", "5e-324", "1.7976931348623157e308")),
    "bool": Values("bool", ("t", "f", "true")),
    "date": Values("date", ("0001-01-01", "9999-12-31", "1969-12-31", "1582-10-15"), (*YEARS, "5874897-12-31")),
    "timestamp": Values(
        "timestamp",
        ("0001-01-01", "9999-12-31 23:59:59.999999", "1969-12-31 23:59:59.999999", "2026-03-08 02:30:00.000001"),
        (*YEARS, "294246-12-31", "294276-12-31 23:59:59.999999"),
    ),
    "timestamp3": Values("timestamp(3)", ("0001-01-01", "9999-12-31 23:59:59.999", "2026-03-08 02:30:00.001"), YEARS),
    "timestamp0": Values("timestamp(0)", ("0001-01-01", "9999-12-31 23:59:59", "1969-12-31 23:59:59"), YEARS),
    "timestamptz": Values(
        "timestamptz",
        ("0001-01-01 00:00+00", "9999-12-31 23:59:59.999999+00", "2026-03-29 02:30:00.000001+02"),
        (*YEARS, "294276-12-31 23:59:59.999999+00"),
    ),
    "timestamptz3": Values("timestamptz(3)", ("0001-01-01 00:00+00", "9999-12-31 23:59:59.999+00", "epoch"), YEARS),
    "time": Values("time", ("00:00", "24:00", "23:59:59.999999", "12:00:00.5")),
    "time3": Values("time(3)", ("00:00", "24:00", "23:59:59.999")),
    "time0": Values("time(0)", ("00:00", "24:00", "23:59:59")),
    "interval": Values(
        "interval",
        (
            *("0", "1 mon", "30 days", "720:00", "-1 year -2 mons +3 days -04:05:06.7", "178000000 years"),
            *("-0.000001 s", "2147483647:59:59.999999", "-2147483647:59"),
        ),
    ),
    "bytea": Values("bytea", ("", "\\x00ff5c", "\\x4e"), large=f"convert_to({LONG}, 'UTF8')"),
    "bit1": Values("bit", ("0", "1", "0")),
    "bit9": Values("bit(9)", ("000000000", "100000001", "000000001", "011111111")),
    "bit70": Values("bit(70)", ("0" * 70, "1" * 70, "0" * 69 + "1", "1" + "0" * 69)),
    "bit_long": Values(
        "bit(30000)", ("0", "1", "01"), large="repeat('1', 30000)::bit(30000)", literal="{}::bit(30000)"
    ),
    "text": Values("text", TEXTS, large=LONG),
    "varchar": Values("varchar(10000)", TEXTS, large=LONG),
    "bpchar": Values("char(9000)", ("ab", "", "  x"), large=LONG),
    "char": Values('"char"', ("a", "", "\\377")),
    "name": Values("name", ("a b", "", "é")),
    "uuid": Values("uuid", (UUID, "0" * 32, "f" * 32)),
    "json": Values("json", ('{"b": 1,  "a": [1, null], "b": 2}', "null", ' "N"'), large=f"to_json({LONG})"),
    "jsonb": Values("jsonb", ('{"a": 1.50, "b": {"c": [[], {}]}}', "null", "1e400"), large=f"to_jsonb({LONG})"),
    "xml": Values(
        "xml", ("<a>é</a>", "", "<b/>"), large=f"convert_to({LONG}, 'UTF8')::xml", literal="convert_to({}, 'UTF8')::xml"
    ),
    "enum": Values("mood", ("happy", 'it\'s, "ok"', "")),
    "inet": Values("inet", ("192.168.0.1", "fe80::1/64", "0.0.0.0/0")),
    "cidr": Values("cidr", ("10.0.0.0/8", "10.1.2.3/32", "::/0")),
    "macaddr": Values("macaddr", ("08:00:2b:01:02:03", "0" * 12, "f" * 12)),
    "macaddr8": Values("macaddr8", ("08:00:2b:01:02:03:04:05", "0" * 16, "f" * 16)),
    "tsvector": Values(
        "tsvector",
        ("'a':1A,2 'b''c'", "", "'x y'"),
        large="(SELECT string_agg('w' || i, ' ') FROM generate_series(1, 2000) i)::tsvector",
    ),
    "int4range": Values("int4range", (*RANGES, "[-2147483648,2147483647)")),
    "int8range": Values("int8range", (*RANGES, "[-9223372036854775808,9223372036854775807)")),
    "numrange": Values("numrange", (*RANGES, "[1.50,NaN)", "(,1e50]"), large="numrange(0, repeat('1', 9000)::numeric)"),
    "tsrange": Values("tsrange", ("empty", "[4713-01-01 BC,infinity]", "(,2026-01-01 00:00:00.000001)")),
    "tstzrange": Values("tstzrange", ("empty", "[4713-01-01 BC,infinity]", "(,2026-01-01 00:00:00.000001+02)")),
    "daterange": Values("daterange", ("empty", "[4713-01-01 BC,infinity]", "(,5874897-12-31)")),
    "range": Values("textrange", ("empty", '["a,b","c""d")', "(,)"), large=f"textrange('a', {LONG})"),
    "multirange": Values(
        "textmultirange", ("{}", "{[a,b)}", "{[a,b),[c,d)}"), large=f"textrange('a', {LONG})::textmultirange"
    ),
    "nummultirange": Values(
        "nummultirange", ("{}", "{[1.50,2]}", "{(,)}"), large="numrange(0, repeat('1', 9000)::numeric)::nummultirange"
    ),
    "tsmultirange": Values("tsmultirange", ("{}", "{[2026-01-01,infinity)}", "{(,2026-01-01 00:00:00.1)}")),
    "tstzmultirange": Values("tstzmultirange", ("{}", "{[2026-01-01 00:00+02,infinity)}", "{(,2026-01-01)}")),
    "citext": Values("citext", ("aB", "", "é"), large=f"{LONG}::citext"),
    "ltree": Values("ltree", ("a.b", "", "a"), large=f"{LONG}::ltree"),
    "hstore": Values(
        "hstore",
        ("", '"a"=>"1", "b"=>NULL, "c d"=>"N"', '"k"=>"é\\\\"'),
        large=f"('\"a\"=>\"' || {LONG} || '\"')::hstore",
    ),
    "vector": Values(
        "vector", ("[1,2.5,-0.1]", "[1e-40,3.4e38]", "[16777217]"), large="array_fill(0.1, ARRAY[1536])::vector"
    ),
    "halfvec": Values("halfvec", ("[1,2.5,-0.1]", "[65504]", "[0]"), large="array_fill(0.1, ARRAY[3000])::halfvec"),
    "composite": Values("pair", ("(1,a)", "(,)", '(-1,"a,""b\\\\c")'), large=f"ROW(1, {LONG})::pair"),
    "tsquery": Values("tsquery", ("a & !b | 'c d':*", "", "a")),
    "jsonpath": Values("jsonpath", ("$.a[*] ? (@ > 1)", "$", "lax $"), large=f"('$.' || {LONG})::jsonpath"),
    "pg_lsn": Values("pg_lsn", ("0/0", "16/B374D848", "FFFFFFFF/FFFFFFFF")),
    "xid": Values("xid", ("3", *OIDS)),
    "xid8": Values("xid8", ("3", "0", "18446744073709551615")),
    "cid": Values("cid", ("3", *OIDS)),
    "tid": Values("tid", ("(0,1)", "(4294967295,65535)", "(1,0)")),
    "aclitem": Values("aclitem", ("postgres=r/postgres", "=rw/postgres", "postgres=arwd*/postgres")),
    "regclass": Values("regclass", ("pg_class", *OIDS)),
    "regtype": Values("regtype", ("mood[]", *OIDS)),
    "regproc": Values("regproc", ("now", *OIDS)),
    "regprocedure": Values("regprocedure", ("now()", *OIDS)),
    "regoper": Values("regoper", ("||/", *OIDS)),
    "regoperator": Values("regoperator", ("+(integer,integer)", *OIDS)),
    "regrole": Values("regrole", ("postgres", *OIDS)),
    "regnamespace": Values("regnamespace", ("public", *OIDS)),
    "regconfig": Values("regconfig", ("english", *OIDS)),
    "regdictionary": Values("regdictionary", ("simple", *OIDS)),
    "regcollation": Values("regcollation", ('"C"', *OIDS)),
    "point": Values("point", ("(1.1,-0)", "(NaN,-Infinity)", "(5e-324,1e300)", "(16777217,0.1)")),
    "line": Values("line", ("{1,2,3}", "{0.1,-1,1e300}", "{1,0,-0.5}")),
    "lseg": Values("lseg", ("[(1,2),(3,4)]", "[(0.1,-0),(3,1e300)]", "[(0,0),(0,0)]")),
    "box": Values("box", ("(3,4),(1,2)", "(0.1,4),(-1,2)", "(Infinity,1),(0,0)")),
    "path": Values(
        "path",
        ("[(1,2),(3,4)]", "((1,2),(3,4))", "((0.1,2))"),
        large="('[' || repeat('(1,2),', 999) || '(0,0)]')::path",
    ),
    "polygon": Values(
        "polygon",
        ("((1,2),(3,4),(5,6))", "((0.1,2))", "((1,2),(3,4),(1,2))"),
        large="polygon(999, '<(0,0),1>'::circle)",
    ),
    "circle": Values("circle", ("<(1,2),3>", "<(0.1,-0),1e300>", "<(0,0),0>")),
    **{
        f"{kind}_snapshot": Values(
            f"{kind}_snapshot",
            ("1:1:", "10:20:10,14,15", "1:9223372036854775807:"),
            large=f"('1:2000:' || (SELECT string_agg(i::text, ',') FROM generate_series(1, 1500) i))::{kind}_snapshot",
        )
        for kind in ("pg", "txid")
    },
    **{
        f"{kind}multirange": Values(
            f"{kind}multirange",
            ("{}", "{[1,5),[7,9)}", "{(,)}"),
            large=f"(SELECT range_agg({kind}range(10 * i, 10 * i + 5)) FROM generate_series(1, 1000) i)",
        )
        for kind in ("int4", "int8")
    },
    "datemultirange": Values("datemultirange", ("{}", "{[2026-01-01,infinity)}", "{(,2026-01-01),[2027-01-01,)}")),
}
