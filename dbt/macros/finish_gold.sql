{#- Called at the end of a run: publishes what was built, or abandons it. -#}
{% macro finish_gold(results) -%}
    {%- if execute -%}
        {%- set bad = results | rejectattr("status", "in", ["success", "pass", "warn", "no-op"]) | list -%}
        {%- do adapter.store_relation("lake", none, [], "", "", {"succeeded": not bad}) -%}
    {%- endif -%}
{%- endmacro %}
