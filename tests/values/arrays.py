"""Values of arrays, one of each element type that can be captured, and of domains."""

from connectors.postgres.types import sql_name
from tests.values.scalars import LONG, SCALARS, TEXTS, UUID, YEARS
from tests.values.values import Values

ELEMENTS = {
    **dict.fromkeys(("int2", "int4", "int8", "oid"), ("1,NULL,0", "7")),
    "numeric": ("1.50,NULL,1e60", "0.0000000012"),
    **dict.fromkeys(("float4", "float8"), ("0.1,NULL,NaN,-0", "Infinity,1e10")),
    "bool": ("t,f,NULL", "f"),
    **dict.fromkeys(("text", "varchar", "citext"), ('"",NULL,"NULL","a,b\\"c\\\\"', "é😀")),
    "bpchar": ('"a  ",NULL', '"  b"'),
    "char": ("a,NULL,b", '""'),
    "uuid": (f"{UUID},NULL", UUID),
    **dict.fromkeys(("json", "jsonb"), ('"{\\"a\\": 1}",NULL,"null"', "1")),
    "enum": ('happy,"it\'s, \\"ok\\""', "happy"),
    "bytea": ('"\\\\x00ff",NULL', '""'),
    "inet": ("::1,NULL", "10.0.0.1/8"),
    "cidr": ("::1,NULL", "10.0.0.0/8"),
    "macaddr": ("08:00:2b:01:02:03,NULL", "ff:ff:ff:ff:ff:ff"),
    "macaddr8": ("08:00:2b:01:02:03:04:05,NULL", "ff:ff:ff:ff:ff:ff:ff:ff"),
    **dict.fromkeys(("int4range", "int8range", "numrange"), ('"[1,5)",NULL,empty', '"(,)"')),
    **dict.fromkeys(("tsrange", "tstzrange", "daterange"), ('"[2026-01-01,)",NULL,empty', '"[-infinity,]"')),
}
DECLARED = {"enum": "mood", "char": '"char"', "bpchar": "char(3)"}
ALL_NULL = ("int2", "int4", "int8", "oid", "numeric", "float4", "float8", "bool", "citext", "bytea")
ARRAYS = {
    sql_name(f"_{name}"): Values(
        f"{DECLARED.get(name, name)}[]",
        ("{}", *(f"{{{elements}}}" for elements in lists), *(() if name in (*ALL_NULL, "enum") else ("{NULL}",))),
        (f"{{{{{lists[1]}}},{{{lists[1]}}}}}".replace('""', "a" if name == "bytea" else '""'),)
        + (("{NULL,NULL}",) if name in ALL_NULL else ()),
        large=f"array_fill(('{{{lists[1]}}}'::{DECLARED.get(name, name)}[])[1], ARRAY[4000])",
    )
    for name, lists in ELEMENTS.items()
}

DOMAINS = {
    "whole": Values("whole", SCALARS["int8"].kept),
    "fee": Values("fee", SCALARS["decimal"].kept, ("NaN",)),
    "words": Values("words", TEXTS, large=LONG),
    "birthday": Values("birthday", SCALARS["date"].kept, YEARS),
    "at": Values("at", SCALARS["timestamp3"].kept, YEARS),
    "counts": Values("counts", ("{}", "{1,NULL}", "{7}"), ("{{1},{2}}",), large="array_fill(1, ARRAY[4000])"),
    "couple": Values("couple", SCALARS["composite"].kept, large=f"ROW(1, {LONG})::pair"),
    "raw": Values("raw", SCALARS["bytea"].kept, large=f"convert_to({LONG}, 'UTF8')"),
    "yes": Values("yes", ("0", "1", "0")),
}
