{#- Called at the end of a run: tells the plugin whether readers may see what was built. -#}
{% macro finish_gold(results) -%}
    {%- if execute -%}
        {%- set bad = results | rejectattr("status", "in", ["success", "pass", "warn", "no-op"]) | list -%}
        {%- do adapter.store_relation("lake", none, [], "", "", {"succeeded": not bad}) -%}
    {%- endif -%}
{%- endmacro %}
