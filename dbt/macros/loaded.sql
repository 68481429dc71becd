{#- A table that batch loads write: if it was never loaded, no rows, with the columns that its source declares. -#}
{% macro loaded(source_name, table_name) -%}
    {%- set relation = source(source_name, table_name) -%}
    {#- A unit test's source has no database. -#}
    {%- if execute and relation.database is not none
        and adapter.get_relation(relation.database, relation.schema, relation.identifier) is none -%}
        {%- set columns = declared_columns(source_name, table_name) -%}
        (
            select
                {{ columns | join(", ") }}
            where false
        )
    {%- else -%}
        {{ relation }}
    {%- endif -%}
{%- endmacro %}

{% macro declared_columns(source_name, table_name) -%}
    {%- set found = [] -%}
    {%- for node in graph.sources.values() if node.source_name == source_name and node.name == table_name -%}
        {%- for column in node.columns.values() -%}
            {%- do found.append("cast(null as " ~ column.data_type ~ ") as " ~ column.name) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(found) }}
{%- endmacro %}
